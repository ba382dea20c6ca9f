#include "control/services/run_service.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "control/services/bind.h"
#include "control/services/paging.h"
#include "core/jobs.h"
#include "core/lifecycle.h"
#include "core/task_changes.h"

namespace orchion::control::services {

namespace {

// Every conflict means that another run of the job got the number.
constexpr int kAttemptsMax = 20;

// On a Run: the call that made it, so that the same call finds it again.
constexpr char kCallLabel[] = "orchion.call";

base::Error no_run(const std::string& stack, const std::string& name) {
  return {base::Code::kNotFound,
          fmt::format("there is no run {}/{}, or no longer: see `orchion job history --stack {}`", stack, name, stack),
          {}};
}

base::Error job_going(const v1::Job& job) {
  return {base::Code::kFailedPrecondition,
          fmt::format("job {}/{} is being removed: it runs no more", job.meta().stack(), job.meta().name()),
          {}};
}

// In the order of jobs, of each the newest first; the name alone says where a run stands in it, so that one that is
// gone meanwhile loses nobody his place.
bool comes_after(const store::ObjectName& last, const store::ObjectName& job, const v1::Run& run) {
  const std::string last_job = last.name.substr(0, last.name.find('.'));
  const store::ObjectName of_last{last.stack, last_job};
  if (job != of_last) return of_last < job;
  return run.spec().number() < core::run_number(last_job, last.name).value_or(0);
}

// The answer to a call may be remembered apart from its run: what is secret stands in the run alone.
v1::Run shown(v1::Run run) {
  for (auto& [name, value] : *run.mutable_spec()->mutable_secret_parameters()) value = "<redacted>";
  return run;
}

// An error of that field of the request.
template <class T>
base::Result<T> at(const char* field, base::Result<T> result) {
  if (!result) result.error().fields = {{field, result.error().message}};
  return result;
}

}  // namespace

base::Result<std::shared_ptr<const v1::Job>> RunService::find_job_to_run(const std::string& stack,
                                                                         const std::string& name) const {
  auto job = context_.objects.view().jobs().find(stack, name);
  if (!job) return std::unexpected(no_job(stack, name));
  if (core::is_deleted(job->meta())) return std::unexpected(job_going(*job));
  const auto runs = context_.objects.view().runs_of_job(stack, name);
  const auto waiting = std::ranges::count_if(runs, [](const auto& run) { return core::is_waiting(*run); });
  if (static_cast<std::size_t>(waiting) >= core::kRunsQueuedMax)
    return base::fail(base::Code::kResourceExhausted,
                      fmt::format("{} runs of {}/{} wait already: cancel some with `orchion job cancel`, or wait",
                                  waiting, stack, name));
  return job;
}

base::Result<std::shared_ptr<const v1::Run>> RunService::find(const std::string& stack, const std::string& name) const {
  const auto& view = context_.objects.view();
  if (auto run = view.runs().find(stack, name)) return run;
  if (!view.jobs().find(stack, name)) return std::unexpected(no_run(stack, name));
  const auto runs = view.runs_of_job(stack, name);
  if (!runs.empty()) return runs.back();
  return base::fail(base::Code::kNotFound,
                    fmt::format("the job {0}/{1} has not run yet: `orchion job run {0}/{1}` runs it", stack, name));
}

base::Co<v1::Run> RunService::run(core::CallContext call, v1::RunJobRequest request) {
  return manifests_->once<v1::Run>(std::move(call), std::move(request),
                                   [this](core::CallContext same_call, v1::RunJobRequest wanted, IdempotentCall same) {
                                     return run_once(std::move(same_call), std::move(wanted), std::move(same));
                                   });
}

base::Result<RunService::Origin> RunService::origin_of(const v1::Job& job, const v1::RunJobRequest& request) const {
  const auto& name = job.meta().name();
  const std::map<std::string, std::string> values(request.parameters().begin(), request.parameters().end());
  ASSIGN_OR_RETURN(auto made_from, at("/parameters", core::with_parameters(name, job.spec(), values)));
  RETURN_IF_ERROR(at("/secretParameters", core::check_secrets(name, job.spec(), request.secret_parameters())));
  RETURN_IF_ERROR(at("/inputs", core::check_inputs(name, job.spec(), request.inputs())));
  return Origin{std::move(made_from), request.parameters(), request.secret_parameters(), request.inputs(), "", ""};
}

base::Co<v1::Run> RunService::run_once(core::CallContext call, v1::RunJobRequest request, IdempotentCall idempotent) {
  CO_ASSIGN_OR_RETURN(const auto job, find_job_to_run(request.stack(), request.job()));
  CO_ASSIGN_OR_RETURN(auto origin, origin_of(*job, request));
  origin.asked_by = core::user_actor(call.identity);
  co_return co_await make(request.stack(), request.job(), std::move(origin), request.dry_run(), std::move(idempotent));
}

base::Co<v1::Run> RunService::make(std::string stack, std::string job_name, Origin origin, bool dry_run,
                                   IdempotentCall idempotent) {
  if (!idempotent.done) CO_RETURN_IF_ERROR(co_await hold_inputs(origin.inputs));
  for (int attempt = 1;; ++attempt) {
    CO_ASSIGN_OR_RETURN(const auto job, find_job_to_run(stack, job_name));
    const auto runs = context_.objects.view().runs_of_job(stack, job_name);
    for (const auto& known : runs)
      if (idempotent.done && core::label(known->meta(), kCallLabel) == idempotent.store_key) co_return shown(*known);
    if (idempotent.done) co_return std::unexpected(no_run(stack, job_name));
    auto run = core::make_run(*job, core::next_run_number(*job, runs), origin.made_from, context_.clock.wall());
    run.mutable_meta()->set_uid(base::new_uid(context_.random));
    *run.mutable_spec()->mutable_parameters() = origin.parameters;
    *run.mutable_spec()->mutable_secret_parameters() = origin.secrets;
    *run.mutable_spec()->mutable_inputs() = origin.inputs;
    run.mutable_spec()->set_retry_of(origin.retry_of);
    run.mutable_meta()->set_changed_by(origin.asked_by);
    if (!idempotent.store_key.empty()) (*run.mutable_meta()->mutable_labels())[kCallLabel] = idempotent.store_key;
    if (dry_run) co_return shown(std::move(run));
    store::Transaction transaction;
    store::create(transaction, run);
    transaction.expect_kept(store::spec_key(*job), job->meta().revision());
    auto written = co_await manifests_->write_beside(std::move(transaction), idempotent);
    if (written) {
      const auto made = context_.objects.view().runs().find(stack, run.meta().name());
      co_return shown(made ? *made : run);
    }
    if (written.error().code != base::Code::kAborted || attempt >= kAttemptsMax)
      co_return std::unexpected(written.error());
  }
}

base::Co<v1::ListRunsResponse> RunService::list(core::CallContext, v1::ListRunsRequest request) {
  CO_ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  v1::ListRunsResponse response;
  response.set_revision(context_.objects.bookmark().text());
  const auto& view = context_.objects.view();
  const v1::Run* last = nullptr;
  for (const auto& [name, job] : view.jobs().all()) {
    if (!request.stack().empty() && name.stack != request.stack()) continue;
    if (!request.job().empty() && name.name != request.job()) continue;
    const auto runs = view.runs_of_job(name.stack, name.name);
    for (auto it = runs.rbegin(); it != runs.rend(); ++it) {
      const v1::Run& run = **it;
      if (request.active() && core::is_ended(run.status().state())) continue;
      if (page.after && !comes_after(*page.after, name, run)) continue;
      if (static_cast<std::size_t>(response.runs_size()) == page.size) {
        response.set_next_page_token(page_token_after({last->meta().stack(), last->meta().name()}));
        co_return response;
      }
      *response.add_runs() = run;
      last = &run;
    }
  }
  co_return response;
}

base::Co<v1::Run> RunService::get(core::CallContext, v1::GetRunRequest request) {
  CO_ASSIGN_OR_RETURN(const auto run, find(request.stack(), request.name()));
  co_return *run;
}

base::Co<v1::Run> RunService::cancel(core::CallContext call, v1::CancelRunRequest request) {
  return manifests_->once<v1::Run>(
      std::move(call), std::move(request),
      [this](core::CallContext same_call, v1::CancelRunRequest wanted, IdempotentCall same) {
        return cancel_once(std::move(same_call), std::move(wanted), std::move(same));
      });
}

base::Co<v1::Run> RunService::cancel_once(core::CallContext call, v1::CancelRunRequest request,
                                          IdempotentCall idempotent) {
  for (int attempt = 1;; ++attempt) {
    CO_ASSIGN_OR_RETURN(const auto run, find(request.stack(), request.name()));
    if (idempotent.done) co_return shown(*run);
    if (core::is_ended(run->status().state()))
      co_return base::fail(base::Code::kFailedPrecondition,
                           fmt::format("{}/{} has ended already: {}", request.stack(), run->meta().name(),
                                       core::state_name(run->status().state())));
    // What is ending already, for another reason perhaps, ends for that.
    if (run->spec().cancelled() || run->status().state() == v1::RUN_CANCELLING) co_return shown(*run);
    v1::Run changed = *run;
    changed.mutable_spec()->set_cancelled(true);
    changed.mutable_meta()->set_changed_by(core::user_actor(call.identity));
    changed.mutable_meta()->set_generation(run->meta().generation() + 1);
    if (request.dry_run()) co_return shown(std::move(changed));
    store::Transaction transaction;
    store::put_spec(transaction, changed);
    auto written = co_await manifests_->write_beside(std::move(transaction), idempotent);
    if (written) co_return shown(std::move(changed));
    if (written.error().code != base::Code::kAborted || attempt >= kAttemptsMax)
      co_return std::unexpected(written.error());
  }
}

base::Co<v1::Run> RunService::retry(core::CallContext call, v1::RetryRunRequest request) {
  return manifests_->once<v1::Run>(
      std::move(call), std::move(request),
      [this](core::CallContext same_call, v1::RetryRunRequest wanted, IdempotentCall same) {
        return retry_once(std::move(same_call), std::move(wanted), std::move(same));
      });
}

base::Co<v1::Run> RunService::retry_once(core::CallContext call, v1::RetryRunRequest request,
                                         IdempotentCall idempotent) {
  CO_ASSIGN_OR_RETURN(const auto run, find(request.stack(), request.name()));
  if (!idempotent.done && !core::is_ended(run->status().state()))
    co_return base::fail(
        base::Code::kFailedPrecondition,
        fmt::format("{}/{} has not ended yet: cancel it first, or wait", request.stack(), run->meta().name()));
  Origin origin{run->spec().template_(), run->spec().parameters(), run->spec().secret_parameters(),
                run->spec().inputs(),    run->meta().name(),       core::user_actor(call.identity)};
  if (!origin.made_from.has_container()) {
    // It never began, and is what its job is now.
    CO_ASSIGN_OR_RETURN(const auto job, find_job_to_run(request.stack(), run->spec().job()));
    v1::RunJobRequest without_values;
    CO_ASSIGN_OR_RETURN(origin, origin_of(*job, without_values));
    origin.retry_of = run->meta().name();
    origin.asked_by = core::user_actor(call.identity);
  }
  co_return co_await make(request.stack(), run->spec().job(), std::move(origin), request.dry_run(),
                          std::move(idempotent));
}

void add_run_service(core::MethodTable& table, std::shared_ptr<RunService> service) {
  const auto bind = binder(service);
  table.unary<v1::RunJobRequest, v1::Run>("orchion.v1.JobService.RunJob", bind(&RunService::run));
  table.unary<v1::ListRunsRequest, v1::ListRunsResponse>("orchion.v1.JobService.ListRuns", bind(&RunService::list));
  table.unary<v1::GetRunRequest, v1::Run>("orchion.v1.JobService.GetRun", bind(&RunService::get));
  table.unary<v1::CancelRunRequest, v1::Run>("orchion.v1.JobService.CancelRun", bind(&RunService::cancel));
  table.unary<v1::RetryRunRequest, v1::Run>("orchion.v1.JobService.RetryRun", bind(&RunService::retry));
  table.unary<v1::ListQueuesRequest, v1::ListQueuesResponse>("orchion.v1.JobService.ListQueues",
                                                             bind(&RunService::queues));
  table.stream<v1::UploadInputRequest, v1::UploadInputResponse>(
      "orchion.v1.JobService.UploadInput",
      [service](core::CallContext call, auto stream) { return service->upload_input(std::move(call), stream); });
  table.stream<v1::GetArtifactRequest, v1::FilePiece>(
      "orchion.v1.JobService.GetArtifact",
      [service](core::CallContext call, auto stream) { return service->artifact(std::move(call), stream); });
}

}  // namespace orchion::control::services
