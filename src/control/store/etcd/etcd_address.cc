#include "control/store/etcd/etcd_address.h"

#include <algorithm>

#include <fmt/format.h>

#include "wire/host_port.h"

namespace orchion::control::store {
namespace {

constexpr std::uint16_t kEtcdPort = 2379;

base::Result<std::string> parse_endpoint(std::string_view text) {
  const auto parsed = wire::parse_host_port(text, kEtcdPort);
  if (parsed && !parsed->host.empty() && parsed->port != 0) return to_string(*parsed);
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("'{}' is no member of etcd: write HOST:PORT, as in 192.168.1.5:{}", text, kEtcdPort));
}

bool is_loopback(const std::string& endpoint) {
  return endpoint.starts_with("127.") || endpoint.starts_with("localhost:") || endpoint.starts_with("[::1]:");
}

}  // namespace

bool EtcdAddress::only_loopback() const {
  return std::ranges::all_of(endpoints, is_loopback);
}

base::Result<EtcdAddress> parse_etcd_address(std::string_view text) {
  if (!is_etcd_address(text)) {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("'{}' is no store: write etcd://HOST:PORT,HOST:PORT/prefix", text));
  }
  text.remove_prefix(std::string_view("etcd://").size());
  EtcdAddress address;
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    std::string prefix(text.substr(slash));
    text = text.substr(0, slash);
    while (prefix.ends_with('/')) prefix.pop_back();
    if (!prefix.empty()) address.prefix = std::move(prefix);
  }
  for (;;) {
    const auto comma = text.find(',');
    ASSIGN_OR_RETURN(auto endpoint, parse_endpoint(text.substr(0, comma)));
    address.endpoints.push_back(std::move(endpoint));
    if (comma == std::string_view::npos) return address;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace orchion::control::store
