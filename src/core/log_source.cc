#include "core/log_source.h"

namespace orchion::core {

v1::LogSource log_source(const v1::Task& task) {
  v1::LogSource source;
  source.set_stack(task.meta().stack());
  source.set_service(task.spec().service());
  source.set_run(task.spec().run());
  source.set_slot(task.spec().run().empty() ? task.spec().slot() : task.spec().index());
  source.set_task_uid(task.meta().uid());
  source.set_node(task.spec().assignment().node());
  return source;
}

bool is_wanted(const v1::LogSource& source, const v1::LogsRequest& request) {
  if (!request.task_uid().empty() && source.task_uid() != request.task_uid()) return false;
  if (!request.stack().empty() && source.stack() != request.stack()) return false;
  if (!request.service().empty() && source.service() != request.service()) return false;
  if (!request.run().empty() && source.run() != request.run()) return false;
  if (!request.node().empty() && source.node() != request.node()) return false;
  return request.slot() == 0 || source.slot() == request.slot();
}

}  // namespace orchion::core
