#include "core/node_mesh.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "core/base64.h"
#include "core/subnet.h"

namespace orchion::core {

base::Result<> check_node_mesh(const v1::NodeMesh& mesh) {
  constexpr std::size_t kKeyBytes = 32;
  const auto key = decode_base64(mesh.public_key());
  if (!key || key->size() != kKeyBytes)
    return base::fail(base::Code::kInvalidArgument,
                      "the node's key isn't one of WireGuard: those are 32 bytes in base64");
  const std::string_view endpoint = mesh.endpoint();
  const auto colon = std::min(endpoint.rfind(':'), endpoint.size());
  const auto digits = endpoint.substr(std::min(colon + 1, endpoint.size()));
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (parse_ipv4(endpoint.substr(0, colon)) && error == std::errc() && end == digits.data() + digits.size() &&
      port != 0)
    return {};
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("the node says that it is reached at \"{}\", which is not ADDRESS:PORT of IPv4: "
                                "start its agent with --advertise ADDRESS",
                                endpoint.substr(0, 64)));
}

}  // namespace orchion::core
