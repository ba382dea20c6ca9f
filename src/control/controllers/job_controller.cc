#include "control/controllers/job_controller.h"

#include "core/jobs.h"

namespace orchion::control::controllers {

JobController::JobController(const Context& context, base::Random random)
    : Controller(context, random, "job controller", 1) {}

Plan JobController::plan(const Key& key) {
  JobSnapshot snapshot{view().jobs().find(key.name.stack, key.name.name), {}, {}};
  if (!snapshot.job) return {};
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
  if (change.kind != "Run") return;
  const auto* was = before<v1::Run>(change);
  const auto* is = after<v1::Run>(change);
  // Most changes of a run are numbers that nobody waits for.
  if (was != nullptr && is != nullptr && was->status().state() == is->status().state() &&
      was->meta().revision() == is->meta().revision())
    return;
  enqueue_group(is != nullptr ? *is : *was);
}

void JobController::enqueue_group(const v1::Run& run) {
  const auto& stack = run.meta().stack();
  enqueue("Job", {stack, run.spec().job()});
  if (run.spec().template_().concurrency_group().empty()) return;
  for (const auto& job : view().jobs().of_stack(stack)) enqueue("Job", {stack, job->meta().name()});
}

void JobController::enqueue_all() {
  for (const auto& [name, job] : view().jobs().all()) enqueue("Job", name);
}

}  // namespace orchion::control::controllers
