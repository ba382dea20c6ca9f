#include "control/services/job_service.h"

#include <fmt/core.h>
#include <google/protobuf/util/message_differencer.h>

#include "control/services/bind.h"
#include "control/services/network_rules.h"
#include "control/services/paging.h"
#include "control/services/view_wait.h"
#include "core/carry_over.h"
#include "core/defaults.h"
#include "core/lifecycle.h"
#include "core/task_changes.h"
#include "core/validation.h"

namespace orchion::control::services {

namespace {

constexpr auto kExpandLimit = std::chrono::seconds(5);

// nullptr where the job doesn't stand yet as this manifest has it, and no later one took its place.
std::shared_ptr<const v1::Job> present_job(const store::View& view, const v1::Stack& manifest,
                                           const v1::NamedJob& wanted) {
  const auto job = view.jobs().find(manifest.meta().name(), wanted.name());
  if (!job || core::is_deleted(job->meta())) return nullptr;
  if (google::protobuf::util::MessageDifferencer::Equals(job->spec(), wanted.spec())) return job;
  const auto owner = view.stacks().find(manifest.meta().name());
  return owner && owner->status().observed_generation() >= manifest.meta().generation() ? job : nullptr;
}

// What would stand, for a dry run.
v1::Job imagined(const store::View& view, const std::string& stack, const v1::NamedJob& named) {
  const auto present = view.jobs().find(stack, named.name());
  v1::Job job = present ? *present : v1::Job();
  job.mutable_meta()->set_stack(stack);
  job.mutable_meta()->set_name(named.name());
  *job.mutable_spec() = named.spec();
  return job;
}

// The manifest, as a request about the job at its end left it; faults point into the request.
base::Result<> validate(const v1::CreateJobRequest& request, const v1::StackSpec& spec) {
  auto valid = core::validate_stack(request.stack(), spec);
  if (valid) return {};
  auto error = std::move(valid).error();
  const auto at = fmt::format("/spec/jobs/{}", spec.jobs_size() - 1);
  for (auto& fault : error.fields) {
    if (fault.pointer == "/name") fault.pointer = "/stack";
    if (fault.pointer.starts_with(at + "/")) fault.pointer.erase(0, at.size());
  }
  const auto& first = error.fields.front();
  error.message =
      fmt::format("the job {}/{} is not valid: {} {}{}", request.stack(), request.name(), first.pointer, first.detail,
                  error.fields.size() > 1 ? fmt::format(" (and {} more)", error.fields.size() - 1) : "");
  return std::unexpected(std::move(error));
}

void erase_job(v1::StackSpec& spec, const std::string& name) {
  auto& jobs = *spec.mutable_jobs();
  for (int i = 0; i < jobs.size(); ++i) {
    if (jobs[i].name() == name) return jobs.DeleteSubrange(i, 1);
  }
}

}  // namespace

base::Co<v1::ListJobsResponse> JobService::list(core::CallContext, v1::ListJobsRequest request) {
  CO_ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  v1::ListJobsResponse response;
  response.set_revision(context_.objects.bookmark().text());
  auto keep = [&](const v1::Job& job) { return request.stack().empty() || job.meta().stack() == request.stack(); };
  for (const auto& job : page_of(context_.objects.view().jobs(), page, keep, *response.mutable_next_page_token()))
    *response.add_jobs() = *job;
  co_return response;
}

base::Co<v1::Job> JobService::get(core::CallContext, v1::GetJobRequest request) {
  const auto job = context_.objects.view().jobs().find(request.stack(), request.name());
  if (!job) co_return std::unexpected(no_job(request.stack(), request.name()));
  co_return *job;
}

base::Co<v1::Job> JobService::create(core::CallContext call, v1::CreateJobRequest request) {
  return manifests_->once<v1::Job>(
      std::move(call), std::move(request),
      [this](core::CallContext same_call, v1::CreateJobRequest wanted, IdempotentCall same) {
        return create_once(std::move(same_call), std::move(wanted), std::move(same));
      });
}

base::Co<v1::Job> JobService::create_once(core::CallContext call, v1::CreateJobRequest request,
                                          IdempotentCall idempotent) {
  const auto present = context_.objects.view().stacks().find(request.stack());
  if (present && core::is_deleted(present->meta())) co_return std::unexpected(stack_going(request.stack()));
  v1::Stack stack = present ? *present : v1::Stack();
  stack.mutable_meta()->set_name(request.stack());
  stack.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  const bool is_there = find_job(*stack.mutable_spec(), request.name()) != nullptr;
  if (idempotent.done && !is_there) co_return std::unexpected(no_job(request.stack(), request.name()));
  if (idempotent.done) co_return co_await standing(std::move(stack), request.name());
  if (is_there)
    co_return base::fail(base::Code::kAlreadyExists,
                         fmt::format("there is a job {}/{} already", request.stack(), request.name()));
  auto* added = stack.mutable_spec()->add_jobs();
  added->set_name(request.name());
  added->set_standalone(true);
  *added->mutable_spec() = request.spec();
  core::shorten_own_networks(request.stack(), *stack.mutable_spec());
  core::fill_defaults(*stack.mutable_spec());
  CO_RETURN_IF_ERROR(validate(request, stack.spec()));
  CO_RETURN_IF_ERROR(
      check_joined_networks(context_.objects.view(), request.stack(), added->spec().container(), "/spec/container"));
  if (request.dry_run()) co_return imagined(context_.objects.view(), request.stack(), *added);
  CO_ASSIGN_OR_RETURN(auto written, co_await manifests_->write(std::move(stack), !present, std::move(idempotent)));
  co_return co_await standing(std::move(written), request.name());
}

base::Co<v1::Job> JobService::remove(core::CallContext call, v1::DeleteJobRequest request) {
  const auto present = context_.objects.view().stacks().find(request.stack());
  if (!present) co_return std::unexpected(no_stack(request.stack()));
  v1::Stack stack = *present;
  stack.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  const auto* found = find_job(*stack.mutable_spec(), request.name());
  if (found == nullptr) co_return std::unexpected(no_job(request.stack(), request.name()));
  if (core::is_deleted(stack.meta())) co_return std::unexpected(stack_going(request.stack()));
  const auto job = context_.objects.view().jobs().find(request.stack(), request.name());
  if (call.if_match && (!job || job->meta().revision() != *call.if_match))
    co_return base::fail(base::Code::kAborted,
                         fmt::format("job {}/{} was changed by somebody else meanwhile: read it again", request.stack(),
                                     request.name()));
  v1::Job going = imagined(context_.objects.view(), request.stack(), *found);
  core::mark_deleted(*going.mutable_meta(), context_.clock.wall());
  if (request.dry_run()) co_return going;
  const bool was_standalone = found->standalone();
  erase_job(*stack.mutable_spec(), request.name());
  if (was_standalone && core::is_empty(stack.spec())) core::mark_deleted(*stack.mutable_meta(), context_.clock.wall());
  IdempotentCall without_key;
  CO_RETURN_IF_ERROR(co_await manifests_->write(std::move(stack), false, std::move(without_key)));
  auto left = [this, uid = going.meta().uid(), stack_name = request.stack(), name = request.name()] {
    const auto there = context_.objects.view().jobs().find(stack_name, name);
    return !there || there->meta().uid() != uid || core::is_deleted(there->meta());
  };
  CO_RETURN_IF_ERROR(co_await wait_for_view(context_, std::move(left), kExpandLimit, "taking the job away"));
  co_return going;
}

// The job as the stack controller made it from that manifest.
base::Co<v1::Job> JobService::standing(v1::Stack stack, std::string name) {
  const v1::NamedJob wanted = *find_job(*stack.mutable_spec(), name);
  std::shared_ptr<const v1::Job> job;
  auto stands = [&] {
    job = present_job(context_.objects.view(), stack, wanted);
    return job != nullptr;
  };
  CO_RETURN_IF_ERROR(
      co_await wait_for_view(context_, std::move(stands), kExpandLimit, "making the job from the stack"));
  co_return *job;
}

void add_job_service(core::MethodTable& table, std::shared_ptr<JobService> service) {
  const auto bind = binder(service);
  table.unary<v1::ListJobsRequest, v1::ListJobsResponse>("orchion.v1.JobService.ListJobs", bind(&JobService::list));
  table.unary<v1::GetJobRequest, v1::Job>("orchion.v1.JobService.GetJob", bind(&JobService::get));
  table.unary<v1::CreateJobRequest, v1::Job>("orchion.v1.JobService.CreateJob", bind(&JobService::create));
  table.unary<v1::DeleteJobRequest, v1::Job>("orchion.v1.JobService.DeleteJob", bind(&JobService::remove));
}

}  // namespace orchion::control::services
