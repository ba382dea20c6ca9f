#include "control/controllers/attachments.h"

#include <utility>

#include <fmt/core.h>

#include "core/lifecycle.h"
#include "core/network_names.h"
#include "core/subnet6.h"

namespace orchion::control::controllers {

store::ObjectName network_name(const std::string& stack, const v1::NetworkAttachment& attachment) {
  auto found = core::network_of(stack, attachment.network());
  return {std::move(found.stack), std::move(found.name)};
}

std::shared_ptr<const v1::Network> find_network(const ClusterSnapshot& cluster, const std::string& stack,
                                                const v1::NetworkAttachment& attachment) {
  const auto found = cluster.networks.find(network_name(stack, attachment));
  return found == cluster.networks.end() ? nullptr : found->second;
}

std::string network_obstacle(const v1::Network* network, const std::string& stack,
                             const v1::NetworkAttachment& attachment) {
  const auto name = network_name(stack, attachment);
  const bool own = name.stack == stack;
  if (network == nullptr && !own)
    return fmt::format("does not exist: see `orchion network ls`, or make it with `orchion network create {}/{}`",
                       name.stack, name.name);
  if (network != nullptr && core::is_deleted(network->meta()) && !own)
    return "is being removed: take the service out of it, or make it anew";
  // What the own stack's manifest names is soon made.
  if (network == nullptr || core::is_deleted(network->meta())) return "does not exist yet";
  if (!network->status().subnet().empty()) return {};
  const auto& message = network->status().message();
  return message.empty() ? "has no subnet yet" : fmt::format("has no subnet yet: {}", message);
}

std::string address6_of(const v1::Network& network, std::uint32_t address) {
  const auto subnet = core::parse_subnet6(network.status().subnet6());
  return subnet ? core::format_ipv6(subnet->of(address)) : "";
}

}  // namespace orchion::control::controllers
