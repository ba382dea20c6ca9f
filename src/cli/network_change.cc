// What makes a network, and who is in it.

#include <fmt/core.h>

#include "cli/duration.h"
#include "cli/follow.h"
#include "cli/list.h"
#include "cli/network_commands.h"
#include "cli/stack_part.h"
#include "cli/target.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

v1::NetworkSpec spec_of(const NetworkOptions& options) {
  v1::NetworkSpec spec;
  spec.set_subnet(options.subnet);
  spec.set_gateway(options.gateway);
  spec.set_enable_ipv6(options.ipv6 || !options.subnet6.empty());
  spec.set_subnet6(options.subnet6);
  spec.set_internal(options.internal);
  spec.set_mtu(options.mtu);
  spec.set_driver(options.driver == "macvlan" ? v1::MACVLAN : v1::ROUTED);
  spec.set_parent(options.parent);
  spec.set_address_range(options.range);
  for (const auto& label : options.labels) {
    const auto equals = label.find('=');
    (*spec.mutable_labels())[label.substr(0, equals)] = equals == label.npos ? "" : label.substr(equals + 1);
  }
  return spec;
}

// A service without its stack is of the stack that the folder or --stack says, else of the network's.
base::Result<core::Address> find_service_of(Context& context, const std::string& word,
                                            const core::NetworkName& network) {
  ASSIGN_OR_RETURN(auto address, core::parse_address(word));
  if (address.slot != 0)
    return base::fail(
        base::Code::kInvalidArgument,
        fmt::format("{} names one task, but networks are its service's: leave .{} out", word, address.slot));
  if (address.stack.empty()) address.stack = find_stack(context).value_or(network.stack);
  return address;
}

template <class Request>
Request request_of(const core::NetworkName& network, const core::Address& service) {
  Request request;
  request.set_stack(network.stack);
  request.set_name(network.name);
  if (service.stack != network.stack) request.set_service_stack(service.stack);
  request.set_service(service.service);
  return request;
}

// Tasks are replaced one by one; that is waited for.
template <class Request>
int change(Context& context, const AttachmentOptions& options, const std::string& method) {
  const auto limit = parse_duration(options.timeout);
  if (!limit) return context.refuse(limit.error());
  const auto network = find_network(context, options.network);
  if (!network) return context.refuse(network.error());
  const auto service = find_service_of(context, options.service, *network);
  if (!service) return context.refuse(service.error());
  auto request = request_of<Request>(*network, *service);
  if constexpr (requires { request.add_aliases(std::string()); })
    for (const auto& alias : options.aliases) request.add_aliases(alias);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto parts = find_stack_parts(context, **api, {core::format_address(*service)});
  if (!parts) return context.fail(parts.error());
  const auto changed =
      context.run((*api)->call<v1::Service>("orchion.v1.NetworkService." + method, std::move(request)));
  if (!changed) return context.fail(changed.error());
  return options.detach ? int{kExitOk} : wait_for_parts(context, *api, *parts, Goal::kRunning, *limit);
}

}  // namespace

int run_network_create(Context& context, const NetworkOptions& options) {
  constexpr const char* kMethod = "orchion.v1.NetworkService.CreateNetwork";
  const auto name = find_network(context, options.name);
  if (!name) return context.refuse(name.error());
  v1::CreateNetworkRequest request;
  request.set_stack(name->stack);
  request.set_name(name->name);
  *request.mutable_spec() = spec_of(options);
  if (wants_object(context)) return object_command(context, kMethod, std::move(request));
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto made = context.run((*api)->call<v1::Network>(kMethod, std::move(request)));
  if (!made) return context.fail(made.error());
  context.tell(
      fmt::format("network {0} was made; `orchion network connect {0} SERVICE` has a service join it", name->text()));
  return kExitOk;
}

int run_network_connect(Context& context, const AttachmentOptions& options) {
  return change<v1::ConnectNetworkRequest>(context, options, "ConnectNetwork");
}

int run_network_disconnect(Context& context, const AttachmentOptions& options) {
  return change<v1::DisconnectNetworkRequest>(context, options, "DisconnectNetwork");
}

}  // namespace orchion::cli
