#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/channel.h"
#include "base/notifier.h"
#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// The tasks whose output is asked for and that were placed, but for what is gone.
std::vector<std::shared_ptr<const v1::Task>> tasks_for_logs(const store::View& view, const v1::LogsRequest& request);

// Instead of lines.
v1::LogBatch log_notice(std::string what);

// Until the node ends it: the lines to `batches`; that they break off, as a notice. Both outlive the call.
base::Co<> forward_logs(NodeStream* stream, std::string node, std::shared_ptr<base::Channel<v1::LogBatch>> batches);

// Follows tasks that begin while output is followed: what replaces another, what a service is scaled up by, the next
// of a run. Each from its own beginning.
class LogFollower {
 public:
  // Tasks that there are by now are left to the caller.
  static std::shared_ptr<LogFollower> make(ServiceContext context, NodeStreams& streams, v1::LogsRequest request,
                                           std::shared_ptr<base::Channel<v1::LogBatch>> batches);

  // Returns when no more can come: the run is over, or what the services have are tasks that ended for good.
  static base::Co<> run(std::shared_ptr<LogFollower> self);

 private:
  using TaskPointer = std::shared_ptr<const v1::Task>;

  LogFollower(ServiceContext context, NodeStreams& streams, v1::LogsRequest request,
              std::shared_ptr<base::Channel<v1::LogBatch>> batches);
  TaskPointer newly_begun();
  bool is_over() const;
  static base::Co<TaskPointer> next_task(std::shared_ptr<LogFollower> self);
  static base::Co<> attend(std::shared_ptr<LogFollower> self, TaskPointer task);

  ServiceContext context_;
  NodeStreams& streams_;
  v1::LogsRequest request_;
  std::shared_ptr<base::Channel<v1::LogBatch>> batches_;
  std::shared_ptr<base::Notifier> changed_;  // a task, a run or a service
  std::set<std::string> known_;              // uids of tasks that are attended, or were
  std::shared_ptr<void> subscription_;
};

}  // namespace orchion::control::services
