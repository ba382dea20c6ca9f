#include "cli/stack_part.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/follow.h"
#include "cli/target.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

base::Result<v1::Stack> get_stack(Context& context, client::ApiClient& api, const std::string& name) {
  v1::GetStackRequest request;
  request.set_name(name);
  return context.run(api.call<v1::Stack>("orchion.v1.StackService.GetStack", std::move(request)));
}

bool has_service(const v1::Stack& stack, const std::string& name) {
  return std::ranges::any_of(stack.spec().services(), [&](const auto& service) { return service.name() == name; });
}

base::Result<> add(Context& context, client::ApiClient& api, const core::Address& address,
                   std::vector<v1::Stack>& parts) {
  ASSIGN_OR_RETURN(auto whole, get_stack(context, api, address.stack));
  if (!address.service.empty() && !has_service(whole, address.service))
    return base::fail(base::Code::kNotFound,
                      fmt::format("there is no service {}/{}: see `orchion ps`", address.stack, address.service));
  auto part = std::ranges::find_if(parts, [&](const v1::Stack& s) { return s.meta().name() == address.stack; });
  if (part == parts.end()) {
    part = parts.insert(parts.end(), whole);
    part->mutable_spec()->clear_services();
  }
  for (const auto& service : whole.spec().services()) {
    const bool meant = address.service.empty() || address.service == service.name();
    if (meant && !has_service(*part, service.name())) *part->mutable_spec()->add_services() = service;
  }
  return {};
}

std::string goal_text(Goal goal) {
  switch (goal) {
    case Goal::kRunning: return "runs";
    case Goal::kHealthy: return "is healthy";
    case Goal::kCompleted: return "has completed";
    case Goal::kStopped: return "has stopped";
  }
  return {};
}

}  // namespace

base::Result<core::Address> find_part(Context& context, client::ApiClient& api, const std::string& word) {
  ASSIGN_OR_RETURN(auto address, core::parse_address(word));
  if (!address.stack.empty()) return address;
  const core::Address whole{address.service, "", 0};
  const auto here = find_stack(context);
  if (!here) return whole;
  address.stack = *here;
  if (address.slot != 0 || !context.options().stack.empty()) return address;
  v1::GetServiceRequest request;
  request.set_stack(address.stack);
  request.set_name(address.service);
  const auto found = context.run(api.call<v1::Service>("orchion.v1.ServiceService.GetService", std::move(request)));
  if (!found && found.error().code != base::Code::kNotFound) return std::unexpected(found.error());
  return found ? address : whole;
}

base::Result<std::vector<v1::Stack>> find_stack_parts(Context& context, client::ApiClient& api,
                                                      const std::vector<std::string>& what) {
  std::vector<v1::Stack> parts;
  if (what.empty()) {
    ASSIGN_OR_RETURN(const auto name, find_stack(context));
    RETURN_IF_ERROR(add(context, api, {name, "", 0}, parts));
  }
  for (const auto& word : what) {
    ASSIGN_OR_RETURN(const auto address, find_part(context, api, word));
    if (address.slot != 0)
      return base::fail(
          base::Code::kInvalidArgument,
          fmt::format("{} names one task, but this is done to a service: leave .{} out", word, address.slot));
    RETURN_IF_ERROR(add(context, api, address, parts));
  }
  return parts;
}

int wait_for_parts(Context& context, std::shared_ptr<client::ApiClient> api, const std::vector<v1::Stack>& parts,
                   Goal goal, base::Duration limit) {
  for (const auto& part : parts) {
    const auto& name = part.meta().name();
    auto progress = std::make_shared<StackProgress>(part, goal);
    const auto live = live_lines(context);
    const auto done = context.run(follow_stack(api, &context.clock(), name, progress, limit, live));
    if (done && *done) {
      // The lines that were drawn say it.
      if (live) continue;
      for (const auto& service : part.spec().services())
        context.tell(fmt::format("{}/{} {}", name, service.name(), goal_text(goal)));
      continue;
    }
    for (const auto& obstacle : progress->obstacles()) context.say(fmt::format("orchion: {}/{}", name, obstacle));
    return done ? int{kExitFailed} : context.fail(done.error());
  }
  return kExitOk;
}

}  // namespace orchion::cli
