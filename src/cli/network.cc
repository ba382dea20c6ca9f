// The networks as they are: ls, inspect, rm.

#include <fmt/core.h>

#include "cli/list.h"
#include "cli/network_commands.h"
#include "cli/network_users.h"
#include "cli/target.h"
#include "core/naming.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

Row network_row(const v1::Network& network, const NetworkUsers& users) {
  const auto name = network.meta().stack() + "/" + network.meta().name();
  const auto& status = network.status();
  return {name,
          {name, or_dash(status.subnet()), or_dash(status.subnet6()), network.spec().internal() ? "yes" : "no",
           std::to_string(users.services_in(network).size()), std::to_string(users.tasks_in(network).size()),
           network.meta().has_deleted_at() ? "being removed" : status.message()},
          {network.spec().driver() == v1::MACVLAN ? "macvlan " + network.spec().parent() : "bridge",
           or_dash(status.gateway()), or_dash(status.gateway6()),
           network.spec().mtu() == 0 ? "-" : std::to_string(network.spec().mtu()), network.meta().uid()}};
}

}  // namespace

base::Result<core::NetworkName> find_network(Context& context, const std::string& word) {
  const bool has_stack = word.find('/') != word.npos;
  auto name = core::network_of("", word);
  if (!core::is_dns_label(name.name) || (has_stack && !core::is_dns_label(name.stack)))
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("`{}` names no network: write STACK/NETWORK, or NETWORK of the stack here", word));
  if (!has_stack) {
    ASSIGN_OR_RETURN(name.stack, find_stack(context));
  }
  return name;
}

int run_network_ls(Context& context) {
  v1::ListNetworksRequest request;
  request.set_stack(context.options().stack);
  NetworkUsers users;
  const auto format = context.options().output.format;
  if (format == OutputFormat::kTable || format == OutputFormat::kWide) {
    auto read = read_network_users(context);
    if (!read) return context.fail(read.error());
    users = std::move(*read);
  }
  return list_command<v1::ListNetworksResponse>(context, "orchion.v1.ResourceService.ListNetworks", request,
                                                {"NETWORK", "SUBNET", "IPV6", "INTERNAL", "SERVICES", "TASKS", "NOTE"},
                                                {"DRIVER", "GATEWAY", "GATEWAY6", "MTU", "UID"},
                                                [&](const v1::ListNetworksResponse& response) {
                                                  std::vector<Row> rows;
                                                  for (const auto& network : response.networks())
                                                    rows.push_back(network_row(network, users));
                                                  return rows;
                                                });
}

int run_network_inspect(Context& context, const std::string& what) {
  const auto name = find_network(context, what);
  if (!name) return context.refuse(name.error());
  auto request = std::make_shared<v1::GetNetworkRequest>();
  request->set_stack(name->stack);
  request->set_name(name->name);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto json = context.run((*api)->call_json("orchion.v1.ResourceService.GetNetwork", request));
  if (!json) return context.fail(json.error());
  v1::Network network;
  if (auto parsed = client::parse_json(*json, network); !parsed) return context.fail(parsed.error());
  const auto users = read_network_users(context);
  if (!users) return context.fail(users.error());
  const auto whole = with_users(*json, network, *users);
  return whole ? print_object(context, *whole) : context.fail(whole.error());
}

int run_network_rm(Context& context, const std::vector<std::string>& what) {
  std::vector<core::NetworkName> networks;
  for (const auto& word : what) {
    auto name = find_network(context, word);
    if (!name) return context.refuse(name.error());
    networks.push_back(std::move(*name));
  }
  auto api = context.api();
  if (!api) return context.fail(api.error());
  for (const auto& network : networks) {
    v1::DeleteNetworkRequest request;
    request.set_stack(network.stack);
    request.set_name(network.name);
    const auto gone =
        context.run((*api)->call<v1::Network>("orchion.v1.NetworkService.DeleteNetwork", std::move(request)));
    if (!gone) return context.fail(gone.error());
    context.tell(fmt::format("network {} was removed", network.text()));
  }
  return kExitOk;
}

}  // namespace orchion::cli
