#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/job_inputs.h"
#include "cli/job_run_end.h"
#include "cli/output.h"
#include "core/jobs.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

using Api = std::shared_ptr<client::ApiClient>;

// A run of a job that is there.
base::Result<v1::RunJobRequest> make_request(Context& context, const Api& api, const JobRunOptions& options,
                                             const core::Address& address) {
  v1::RunJobRequest request;
  request.set_stack(address.stack);
  request.set_job(address.service);
  if (options.parameters.empty() && options.inputs.empty()) return request;
  v1::GetJobRequest wanted;
  wanted.set_stack(address.stack);
  wanted.set_name(address.service);
  ASSIGN_OR_RETURN(const auto job, context.run(api->call<v1::Job>("orchion.v1.JobService.GetJob", wanted)));
  ASSIGN_OR_RETURN(const auto values, read_parameters(options.parameters, job));
  request.mutable_parameters()->insert(values.open.begin(), values.open.end());
  request.mutable_secret_parameters()->insert(values.secret.begin(), values.secret.end());
  ASSIGN_OR_RETURN(const auto inputs, open_inputs(options.inputs, job));
  // What would be refused afterwards is refused before much is sent.
  RETURN_IF_ERROR(core::with_parameters(address.service, job.spec(), values.open));
  RETURN_IF_ERROR(core::check_secrets(address.service, job.spec(), request.secret_parameters()));
  for (const auto& input : inputs) {
    ASSIGN_OR_RETURN((*request.mutable_inputs())[input.name], send_input(context, api, job, input));
  }
  return request;
}

// Of waiting for its end; nullopt: as long as it takes.
base::Result<std::optional<base::Duration>> limit_of(const JobRunOptions& options) {
  if (options.timeout.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const auto limit, parse_duration(options.timeout));
  return std::optional<base::Duration>(limit);
}

int show(Context& context, const Api& api, const JobRunOptions& options, const v1::Run& run,
         std::optional<base::Duration> limit) {
  if (options.wait || options.follow) return wait_for_run(context, api, run, options.follow, limit);
  if (wants_object(context)) return print_object(context, json_of(run));
  const auto name = run.meta().stack() + "/" + run.meta().name();
  print_rows(context, {"RUN", "STATE"}, {"UID"},
             {{name, {name, std::string(core::state_name(run.status().state()))}, {run.meta().uid()}}});
  return kExitOk;
}

// --- made on the spot ---

base::Result<v1::CreateJobRequest> make_job(const JobRunOptions& options, const core::Address& address) {
  if (!options.parameters.empty() || !options.inputs.empty())
    return base::fail(base::Code::kInvalidArgument,
                      "a job that is made on the spot has no parameters and no inputs: say -e NAME=VALUE, or -v "
                      "FOLDER:TARGET");
  v1::CreateJobRequest request;
  request.set_stack(address.stack);
  request.set_name(address.service);
  auto& spec = *request.mutable_spec();
  spec.mutable_container()->set_image(options.image);
  spec.set_goes_with_runs(true);
  RETURN_IF_ERROR(apply_container_options(options, *spec.mutable_container()));
  return request;
}

// Outside a project it goes where `orchion run` puts what it runs.
base::Result<core::Address> address_of_new(Context& context, const std::string& what) {
  if (what.find('/') == std::string::npos && !find_stack(context))
    return find_address(context, fmt::format("{}/{}", kDefaultStack, what));
  return find_address(context, what);
}

base::Result<v1::Run> make_and_run(Context& context, const Api& api, v1::CreateJobRequest job) {
  v1::RunJobRequest request;
  request.set_stack(job.stack());
  request.set_job(job.name());
  auto made = context.run(api->call<v1::Job>("orchion.v1.JobService.CreateJob", std::move(job)));
  if (!made && made.error().code == base::Code::kAlreadyExists)
    made.error().message +=
        fmt::format(": `orchion job run {0}/{1}` runs it again, `orchion job rm {0}/{1}` removes it", request.stack(),
                    request.job());
  RETURN_IF_ERROR(made);
  auto run = context.run(api->call<v1::Run>("orchion.v1.JobService.RunJob", request));
  if (run) return run;
  v1::DeleteJobRequest removal;
  removal.set_stack(request.stack());
  removal.set_name(request.job());
  (void)context.run(api->call<v1::Job>("orchion.v1.JobService.DeleteJob", std::move(removal)));
  return run;
}

int run_image(Context& context, const JobRunOptions& options) {
  const auto limit = limit_of(options);
  if (!limit) return context.refuse(limit.error());
  const auto address = address_of_new(context, options.what);
  if (!address) return context.refuse(address.error());
  if (address->slot != 0)
    return context.refuse(
        {base::Code::kInvalidArgument, fmt::format("{} can't name a job: leave the dot out", options.what), {}});
  auto job = make_job(options, *address);
  if (!job) return context.refuse(job.error());
  auto api = context.api_or_start();
  if (!api) return context.fail(api.error());
  const auto run = make_and_run(context, *api, std::move(*job));
  if (!run) return context.fail(run.error());
  return show(context, *api, options, *run, *limit);
}

}  // namespace

int run_job_run(Context& context, const JobRunOptions& options) {
  if (!options.image.empty()) return run_image(context, options);
  if (const auto word = first_container_option(options); !word.empty())
    return context.refuse({base::Code::kInvalidArgument,
                           fmt::format("{} goes with --image alone: what a job runs stands in its file", word),
                           {}});
  const auto limit = limit_of(options);
  if (!limit) return context.refuse(limit.error());
  const auto address = find_address(context, options.what);
  if (!address) return context.refuse(address.error());
  if (address->slot != 0)
    return context.refuse({base::Code::kInvalidArgument,
                           fmt::format("{} names a run: name its job, or run it again with `orchion job retry {}`",
                                       options.what, options.what),
                           {}});
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto request = make_request(context, *api, options, *address);
  if (!request && request.error().code == base::Code::kInvalidArgument) return context.refuse(request.error());
  if (!request) return context.fail(request.error());
  const auto run = context.run((*api)->call<v1::Run>("orchion.v1.JobService.RunJob", std::move(*request)));
  if (!run) return context.fail(run.error());
  return show(context, *api, options, *run, *limit);
}

int run_job_retry(Context& context, const JobRunOptions& options) {
  const auto limit = limit_of(options);
  if (!limit) return context.refuse(limit.error());
  const auto address = find_run(context, options.what);
  if (!address) return context.refuse(address.error());
  v1::RetryRunRequest request;
  request.set_stack(address->stack);
  request.set_name(address->run);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto run = context.run((*api)->call<v1::Run>("orchion.v1.JobService.RetryRun", std::move(request)));
  if (!run) return context.fail(run.error());
  return show(context, *api, options, *run, *limit);
}

}  // namespace orchion::cli
