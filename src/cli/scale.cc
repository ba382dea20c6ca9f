#include <fmt/core.h>

#include "cli/commands.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// `target` is of the form that check_scaling() wants.
base::Result<v1::ScaleServiceRequest> parse_target(Context& context, const std::string& target) {
  const auto equals = target.find('=');
  ASSIGN_OR_RETURN(const auto address, find_address(context, target.substr(0, equals)));
  v1::ScaleServiceRequest request;
  request.set_stack(address.stack);
  request.set_name(address.service);
  request.set_replicas(static_cast<std::uint32_t>(std::stoul(target.substr(equals + 1))));
  return request;
}

}  // namespace

int run_scale(Context& context, const std::vector<std::string>& targets) {
  std::vector<v1::ScaleServiceRequest> requests;
  for (const auto& target : targets) {
    auto request = parse_target(context, target);
    if (!request) return context.refuse(request.error());
    requests.push_back(std::move(*request));
  }
  auto api = context.api();
  if (!api) return context.fail(api.error());
  for (const auto& request : requests) {
    auto scaled = context.run((*api)->call<v1::Service>("orchion.v1.ServiceService.ScaleService", request));
    if (!scaled) return context.fail(scaled.error());
    context.say(fmt::format("{}/{} will have {} task{}", request.stack(), request.name(), request.replicas(),
                            request.replicas() == 1 ? "" : "s"));
  }
  return kExitOk;
}

}  // namespace orchion::cli
