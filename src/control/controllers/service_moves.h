#pragma once

// A task's move to another node (v1::TaskMove): which tasks can, and how one goes on that has begun. Parts of the
// service planner and of rebalancing.

#include <map>
#include <string>

#include "control/controllers/service_slots.h"

namespace orchion::control::controllers {

// What takes a task's place has to be ready this long without a break before that one stops: what crashes soon after
// its start, or loses its readiness, is found out while the other still serves.
constexpr base::Duration kMoveMonitor = std::chrono::seconds(3);

// A move that has come no further is given up this long after its beginning, the start period of its check left out:
// an image may have to be pulled first.
constexpr base::Duration kMoveLimit = std::chrono::minutes(10);

// Why no task of the service can be moved: two of one slot run at once for a while, and what is on the node or says
// where it is stays there. Empty: they can.
std::string why_immovable(const v1::ServiceSpec& spec);

// Up, well, to go on, and not about to move already.
bool may_move(const v1::Task& task);

struct MoveProgress {
  enum class Stage { kWaits, kReady, kFailed };
  Stage stage = Stage::kWaits;
  std::string why;                       // of kFailed: "its check fails: no answer"
  std::optional<base::Time> look_again;  // of kWaits: when time alone changes it
};

// Of what is to take the place of `moving`, on a node in that condition. `ready_since`: see ServiceSnapshot.
MoveProgress progress_of(const v1::Task& moving, const v1::Task& successor, const v1::ContainerSpec& container,
                         NodeCondition condition, const std::map<std::string, base::Time>& ready_since, Now now);

// How long a move that has begun may still take; not above zero: too long already.
base::Duration left_of(const v1::TaskMove& move, const v1::ContainerSpec& container, Now now);

}  // namespace orchion::control::controllers
