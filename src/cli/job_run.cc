#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/job_run_end.h"
#include "cli/output.h"
#include "core/jobs.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

base::Result<> set_parameters(const JobRunOptions& options, v1::RunJobRequest& request) {
  for (const auto& text : options.parameters) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return base::fail(base::Code::kInvalidArgument, fmt::format("--param {}: write NAME=VALUE", text));
    (*request.mutable_parameters())[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return {};
}

template <class Request>
int begin(Context& context, const JobRunOptions& options, const std::string& method, Request request) {
  std::optional<base::Duration> limit;
  if (!options.timeout.empty()) {
    const auto parsed = parse_duration(options.timeout);
    if (!parsed) return context.refuse(parsed.error());
    limit = *parsed;
  }
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto run = context.run((*api)->template call<v1::Run>(method, std::move(request)));
  if (!run) return context.fail(run.error());
  if (options.wait || options.follow) return wait_for_run(context, *api, *run, options.follow, limit);
  if (wants_object(context)) return print_object(context, json_of(*run));
  print_rows(context, {"RUN", "STATE"}, {"UID"},
             {{run->meta().stack() + "/" + run->meta().name(),
               {run->meta().stack() + "/" + run->meta().name(), std::string(core::state_name(run->status().state()))},
               {run->meta().uid()}}});
  return kExitOk;
}

}  // namespace

int run_job_run(Context& context, const JobRunOptions& options) {
  const auto address = find_address(context, options.what);
  if (!address) return context.refuse(address.error());
  if (address->slot != 0)
    return context.refuse({base::Code::kInvalidArgument,
                           fmt::format("{} names a run: name its job, or run it again with `orchion job retry {}`",
                                       options.what, options.what),
                           {}});
  v1::RunJobRequest request;
  request.set_stack(address->stack);
  request.set_job(address->service);
  if (const auto set = set_parameters(options, request); !set) return context.refuse(set.error());
  return begin(context, options, "orchion.v1.JobService.RunJob", std::move(request));
}

int run_job_retry(Context& context, const JobRunOptions& options) {
  const auto address = find_run(context, options.what);
  if (!address) return context.refuse(address.error());
  v1::RetryRunRequest request;
  request.set_stack(address->stack);
  request.set_name(address->run);
  return begin(context, options, "orchion.v1.JobService.RetryRun", std::move(request));
}

}  // namespace orchion::cli
