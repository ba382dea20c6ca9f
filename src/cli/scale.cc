#include <charconv>

#include <fmt/core.h>

#include "cli/commands.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

base::Result<v1::ScaleServiceRequest> parse_target(Context& context, const std::string& target) {
  const auto equals = target.find('=');
  v1::ScaleServiceRequest request;
  std::uint32_t replicas = 0;
  if (equals != std::string::npos) {
    const auto* begin = target.data() + equals + 1;
    const auto* end = target.data() + target.size();
    const auto [stopped, error] = std::from_chars(begin, end, replicas);
    if (error == std::errc() && stopped == end && begin != end) {
      ASSIGN_OR_RETURN(const auto address, find_address(context, target.substr(0, equals)));
      if (address.slot != 0)
        return base::fail(
            base::Code::kInvalidArgument,
            fmt::format("{} names one task, but a service is scaled: leave .{} out", target, address.slot));
      request.set_stack(address.stack);
      request.set_name(address.service);
      request.set_replicas(replicas);
      return request;
    }
  }
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("{} says no number of tasks: write it like shop/web=3", target));
}

}  // namespace

int run_scale(Context& context, const std::vector<std::string>& targets) {
  std::vector<v1::ScaleServiceRequest> requests;
  for (const auto& target : targets) {
    auto request = parse_target(context, target);
    if (!request) return context.fail(request.error());
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
