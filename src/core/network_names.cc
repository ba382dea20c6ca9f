#include "core/network_names.h"

#include <algorithm>

namespace orchion::core {

NetworkName network_of(std::string_view stack, std::string_view attachment) {
  const auto slash = attachment.find('/');
  if (slash == attachment.npos) return {std::string(stack), std::string(attachment)};
  return {std::string(attachment.substr(0, slash)), std::string(attachment.substr(slash + 1))};
}

bool is_attached(std::string_view stack, const v1::ContainerSpec& container, const NetworkName& network) {
  return std::ranges::any_of(container.networks(), [&](const v1::NetworkAttachment& attachment) {
    return network_of(stack, attachment.network()) == network;
  });
}

}  // namespace orchion::core
