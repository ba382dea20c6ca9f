// Commands that change services as they are: restart, stop, start, rm.

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/follow.h"
#include "cli/stack_part.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

template <class Request>
base::Result<> change_each(Context& context, client::ApiClient& api, const std::string& method, const v1::Stack& part) {
  for (const auto& service : part.spec().services()) {
    Request request;
    request.set_stack(part.meta().name());
    request.set_name(service.name());
    RETURN_IF_ERROR(context.run(api.call<v1::Service>("orchion.v1.ServiceService." + method, std::move(request))));
  }
  return {};
}

template <class Request>
int change(Context& context, const ServicesOptions& options, const std::string& method, Goal goal) {
  auto limit = parse_duration(options.timeout);
  if (!limit) return context.refuse(limit.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto parts = find_stack_parts(context, **api, options.what);
  if (!parts) return context.refuse(parts.error());
  for (const auto& part : *parts) {
    if (auto changed = change_each<Request>(context, **api, method, part); !changed)
      return context.fail(changed.error());
  }
  return options.detach ? int{kExitOk} : wait_for_parts(context, *api, *parts, goal, *limit);
}

}  // namespace

int run_restart(Context& context, const ServicesOptions& options) {
  return change<v1::RestartServiceRequest>(context, options, "RestartService", Goal::kRunning);
}

int run_stop(Context& context, const ServicesOptions& options) {
  return change<v1::StopServiceRequest>(context, options, "StopService", Goal::kStopped);
}

int run_start(Context& context, const ServicesOptions& options) {
  return change<v1::StartServiceRequest>(context, options, "StartService", Goal::kRunning);
}

int run_rm(Context& context, const ServicesOptions& options) {
  for (const auto& what : options.what) {
    auto address = find_address(context, what);
    if (!address) return context.refuse(address.error());
  }
  if (!context.confirm("remove " + fmt::format("{}", fmt::join(options.what, ", ")) + "?")) return kExitInterrupted;
  return change<v1::DeleteServiceRequest>(context, options, "DeleteService", Goal::kStopped);
}

}  // namespace orchion::cli
