#pragma once

// What a planner wants done, as values; and their way into bounded transactions.

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "control/controllers/allocations.h"
#include "control/store/store.h"
#include "core/events.h"
#include "core/task_changes.h"
#include "v1/objects.pb.h"

namespace orchion::control::controllers {

enum class Verb { kCreate, kPutSpec, kPutStatus, kRemove };

using AnyObject = std::variant<v1::Stack, v1::Service, v1::Revision, v1::Task, v1::Network, v1::Volume, v1::Node,
                               v1::Event, v1::Job, v1::Run, v1::TaskRecord, v1::NetworkPolicy>;

struct Write {
  Verb verb;
  AnyObject object;
};

// All or nothing; at most store::kOperationsMax operations (an object is up to two). Units of a plan are put together
// into as few transactions as hold them, in their order, so that a plan that stops half way stops between units.
using Unit = std::vector<Write>;

struct Plan {
  std::vector<Unit> units;
  Claims claims;                         // taken until the units are durable
  std::optional<base::Time> look_again;  // though nothing changes until then

  // Brings `look_again` forward.
  void wake(base::Time when) {
    if (!look_again || when < *look_again) look_again = when;
  }
};

// The two times a planner is given.
struct Now {
  base::Time time;
  base::WallTime wall;
};

std::vector<store::Transaction> to_transactions(const std::vector<Unit>& units);

// Field by field. Quick where both are written down alike, which most equal ones are.
bool is_same(const google::protobuf::Message& a, const google::protobuf::Message& b);

Write write_event(const core::EventDraft& draft, Now now, base::Random& random);

// Takes a task away and keeps what became of it.
Unit remove_task(const v1::Task& task, const core::Decision& why, Now now);

// The unit with one more write.
Unit with(Unit unit, Write more);

}  // namespace orchion::control::controllers
