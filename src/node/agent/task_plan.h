#pragma once

// What to do next with one task, as a value. Pure: the runner performs it, reports, and asks again.

#include <optional>
#include <string>

#include "base/clock.h"
#include "node/runtimes/runtime.h"
#include "v1/checkpoint.pb.h"

namespace orchion::node::agent {

// How an attempt ended.
struct AttemptEnd {
  std::optional<runtimes::ExitStatus> exit;  // unset: its container is gone and nobody saw the end
  std::string reason;                        // why, where its exit doesn't tell
  bool unhealthy = false;                    // it was told to end for that
  bool lasted = false;                       // it was up for so long that this is no crash loop
};

// The recovery command of a service, for one illness of one of its tasks.
enum class Mending { kNotTried, kAtWork, kDone, kInVain };

// All that the choice depends on.
struct TaskView {
  bool wanted = true;                  // this node's, and desired RUNNING
  bool kept = false;                   // not wanted, yet what it wrote stays when it has ended
  bool removed = false;                // nothing of it is left
  v1::TaskState state = v1::ASSIGNED;  // as last reported
  v1::RestartPolicy policy;
  v1::Recovery::Action recovery = v1::Recovery::RESTART;
  std::uint32_t restarts = 0;  // those of the tasks it comes after too
  bool image_ready = false;
  bool container_ready = false;   // its network too
  bool running = false;           // the attempt's process is up
  bool ready = true;              // its ports shall lead to it
  bool published = false;         // they do; as `ready` where it has none
  std::optional<AttemptEnd> end;  // not dealt with yet
  bool unhealthy = false;         // its health check says so
  Mending mending = Mending::kNotTried;
  bool interrupted = false;  // told to end for that
  bool stop_signalled = false;
  bool kill_signalled = false;
  base::Time grace_ends;                     // counts once interrupted or stop_signalled
  base::Time not_before;                     // of the next try, after a failure
  base::Time fenced_at = base::Time::max();  // from then on it must not run
  bool holds_resources = false;              // a container, a network or a file may be on the node
  bool network_there = true;                 // the one that it shares; true where it has its own
  bool network_shared = false;               // others are in its network
};

enum class StepKind {
  kWait,  // until `until` or until something changes
  kPrepareImage,
  kPrepareContainer,  // network, mounts, root file system
  kStart,
  kPublish,    // lead its published ports to it
  kWithdraw,   // lead them elsewhere
  kRestart,    // the attempt ended: make the next one due
  kMend,       // the recovery command
  kInterrupt,  // the stop signal, and another attempt or another task after it
  kStop,       // the stop signal
  kKill,
  kFinish,   // the task ended: say how
  kRelease,  // an ended task keeps only its output
  kRemove,   // nothing stays
};

struct Step {
  StepKind kind = StepKind::kWait;
  base::Time until = base::Time::max();

  bool operator==(const Step&) const = default;
};

Step next_step(const TaskView& view, base::Time now);

// Whether an attempt that ended like this is followed by another. `restarts` were made before.
bool restarts_after(const v1::RestartPolicy& policy, std::uint32_t restarts, const AttemptEnd& end);

// It didn't do what it was for.
bool is_failure(const AttemptEnd& end);

// The state of a task for which kFinish was chosen.
v1::TaskState final_state(const TaskView& view);

// "exited with 3", with what to do where that is known. `memory_bytes`: its limit, 0 for none.
std::string describe_end(const AttemptEnd& end, std::int64_t memory_bytes);

// The reason word of an attempt's end: "Exited", "Killed", "OutOfMemory" …
const char* end_reason(const AttemptEnd& end);

// What happens to a task with that status now, as a change; see core/task_changes.h.
v1::TaskChange change_of(const v1::TaskStatus& status, v1::TaskState state, const char* reason, std::string message,
                         base::WallTime now);

// Of something that is learned of late: no earlier than what is noted already.
base::WallTime not_before_last(const v1::TaskStatus& status, base::WallTime time);

// What a restarted agent knows of a task: its checkpoint, and what the runtime says about its container.
struct Adoption {
  v1::TaskStatus status;  // brought up to date
  bool running = false;
  std::optional<AttemptEnd> end;
};
Adoption adopt(const v1::TaskCheckpoint& checkpoint, const std::optional<runtimes::ContainerInfo>& container,
               const std::string& boot_id, base::WallTime now);

// The status a task begins with on this node. A task that had run before and of which nothing is known here (its
// data folder was lost) goes on with a new attempt, an ended one stays ended.
v1::TaskStatus first_status(const v1::Task& task, base::WallTime now);

}  // namespace orchion::node::agent
