// What goes on in queues, for those who ask.

#include <algorithm>

#include "control/services/run_service.h"
#include "core/run_queue.h"

namespace orchion::control::services {

namespace {

core::RunList unended_runs(const store::View& view, const std::string& stack) {
  core::RunList runs;
  for (const auto& run : view.runs().of_stack(stack))
    if (!core::is_ended(run->status().state())) runs.push_back(run);
  return runs;
}

v1::QueueState state_of(const v1::Stack& stack, const v1::NamedQueue& queue, const core::RunList& runs) {
  v1::QueueState state;
  state.set_stack(stack.meta().name());
  state.set_name(queue.name());
  *state.mutable_spec() = queue.spec();
  const auto line = core::line_of(queue.name(), queue.spec().slots(), runs);
  state.set_active(line.active);
  state.set_waiting(line.waiting);
  if (const auto next = core::next_of(queue.name(), runs)) state.set_next(next->meta().name());
  const auto& jobs = stack.spec().jobs();
  state.set_jobs(static_cast<std::uint32_t>(std::count_if(
      jobs.begin(), jobs.end(), [&](const v1::NamedJob& job) { return job.spec().queue() == queue.name(); })));
  return state;
}

}  // namespace

base::Co<v1::ListQueuesResponse> RunService::queues(core::CallContext, v1::ListQueuesRequest request) {
  const auto& view = context_.objects.view();
  v1::ListQueuesResponse response;
  for (const auto& [name, stack] : view.stacks().all()) {
    if (!request.stack().empty() && request.stack() != name.name) continue;
    if (stack->spec().queues().empty()) continue;
    const auto runs = unended_runs(view, name.name);
    for (const auto& queue : stack->spec().queues()) *response.add_queues() = state_of(*stack, queue, runs);
  }
  co_return response;
}

}  // namespace orchion::control::services
