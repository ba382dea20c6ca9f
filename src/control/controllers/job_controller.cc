#include "control/controllers/job_controller.h"

#include "core/jobs.h"

namespace orchion::control::controllers {

JobController::JobController(const Context& context, base::Random random)
    : Controller(context, random, "job controller", 1) {}

Plan JobController::plan(const Key& key) {
  JobSnapshot snapshot;
  snapshot.job = view().jobs().find(key.name.stack, key.name.name);
  if (!snapshot.job) return {};
  if (const auto stack = view().stacks().find(key.name.stack))
    *snapshot.queues.mutable_queues() = stack->spec().queues();
  snapshot.runs = view().runs_of_job(key.name.stack, key.name.name);
  for (const auto& job : view().jobs().of_stack(key.name.stack)) {
    if (job->meta().name() == key.name.name) continue;
    for (const auto& run : view().runs_of_job(key.name.stack, job->meta().name()))
      if (!core::is_ended(run->status().state())) snapshot.group.push_back(run);
  }
  return plan_job(snapshot, now(), random_);
}

void JobController::on_change(const store::ObjectChange& change) {
  if (change.kind == "Job") enqueue("Job", change.name);
  if (change.kind == "Run") on_run(before<v1::Run>(change), after<v1::Run>(change));
  // A queue may have got more slots.
  if (change.kind != "Stack" || !change.after) return;
  const auto* was = before<v1::Stack>(change);
  const auto* is = after<v1::Stack>(change);
  if (is->spec().queues_size() > 0 && (was == nullptr || was->meta().revision() != is->meta().revision()))
    enqueue_stack(change.name.name);
}

// Most changes of a run are numbers that nobody waits for.
void JobController::on_run(const v1::Run* before, const v1::Run* after) {
  if (before != nullptr && after != nullptr && before->status().state() == after->status().state() &&
      before->meta().revision() == after->meta().revision())
    return;
  const v1::Run& run = after != nullptr ? *after : *before;
  const auto& spec = run.spec().template_();
  enqueue("Job", {run.meta().stack(), run.spec().job()});
  if (!spec.concurrency_group().empty() || !spec.queue().empty()) enqueue_stack(run.meta().stack());
}

void JobController::enqueue_stack(const std::string& stack) {
  for (const auto& job : view().jobs().of_stack(stack)) enqueue("Job", {stack, job->meta().name()});
}

void JobController::enqueue_all() {
  for (const auto& [name, job] : view().jobs().all()) enqueue("Job", name);
}

}  // namespace orchion::control::controllers
