#include "core/network_names.h"

#include <algorithm>

namespace orchion::core {

NetworkName network_of(std::string_view stack, std::string_view attachment) {
  const auto slash = attachment.find('/');
  if (slash == attachment.npos) return {std::string(stack), std::string(attachment)};
  return {std::string(attachment.substr(0, slash)), std::string(attachment.substr(slash + 1))};
}

std::string attachment_name(std::string_view stack, const NetworkName& network) {
  return network.stack == stack ? network.name : network.text();
}

void shorten_own_networks(std::string_view stack, v1::StackSpec& spec) {
  const auto shorten = [&](v1::ContainerSpec& container) {
    for (auto& attachment : *container.mutable_networks())
      attachment.set_network(attachment_name(stack, network_of(stack, attachment.network())));
  };
  for (auto& service : *spec.mutable_services()) {
    shorten(*service.mutable_spec()->mutable_container());
    for (auto& route : *service.mutable_spec()->mutable_routes())
      if (!route.network().empty()) route.set_network(attachment_name(stack, network_of(stack, route.network())));
  }
  for (auto& job : *spec.mutable_jobs()) shorten(*job.mutable_spec()->mutable_container());
}

bool is_attached(std::string_view stack, const v1::ContainerSpec& container, const NetworkName& network) {
  return std::ranges::any_of(container.networks(), [&](const v1::NetworkAttachment& attachment) {
    return network_of(stack, attachment.network()) == network;
  });
}

v1::NetworkAttachment* find_attachment(std::string_view stack, v1::ContainerSpec& container,
                                       const NetworkName& network) {
  for (auto& attachment : *container.mutable_networks())
    if (network_of(stack, attachment.network()) == network) return &attachment;
  return nullptr;
}

}  // namespace orchion::core
