#include "node/networks/wireguard.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/process.h"
#include "core/base64.h"

namespace orchion::node::networks {
namespace {

// REJECT_AFTER_TIME of the protocol: no session is older.
constexpr std::int64_t kSessionSeconds = 180;

using Peers = std::map<WireguardKey, WireguardPeer>;

// Who has that address now.
Peers::const_iterator holder_of(const Peers& peers, Ipv4 address) {
  return std::ranges::find_if(peers, [&](const auto& each) { return each.second.allowed.contains(address); });
}

bool may_be_in_use(const WireguardPeer& peer, std::int64_t now_seconds) {
  return peer.handshake_seconds > 0 && now_seconds - peer.handshake_seconds < kSessionSeconds;
}

}  // namespace

std::string to_base64(const WireguardKey& key) {
  return core::encode_base64({reinterpret_cast<const char*>(key.data()), key.size()});
}

base::Result<WireguardKey> parse_wireguard_key(std::string_view base64) {
  WireguardKey key{};
  const auto bytes = core::decode_base64(base64);
  if (!bytes || bytes->size() != key.size())
    return base::fail(base::Code::kInvalidArgument, "this is no key of WireGuard: those are 32 bytes in base64");
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return key;
}

base::Result<WireguardEndpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  WireguardEndpoint endpoint;
  const auto digits = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
  const auto address = parse_ipv4(text.substr(0, colon));
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || endpoint.port == 0 || !address)
    return base::fail(base::Code::kInvalidArgument, fmt::format("\"{}\" is not ADDRESS:PORT of IPv4", text));
  endpoint.address = *address;
  return endpoint;
}

std::string to_string(const WireguardEndpoint& endpoint) {
  return fmt::format("{}:{}", to_string(endpoint.address), endpoint.port);
}

WireguardStep plan_wireguard(const WireguardDevice& device, const TunnelPlan& plan,
                             const std::map<WireguardKey, WireguardEndpoint>& told, std::int64_t now_seconds) {
  WireguardStep step;
  if (device.private_key != plan.private_key) step.change.private_key = plan.private_key;
  if (device.port != plan.port) step.change.port = plan.port;
  std::set<WireguardKey> kept;
  for (const auto& peer : plan.peers) {
    WireguardPeerChange change{.key = peer.key};
    const auto known = device.peers.find(peer.key);
    const auto holder = holder_of(device.peers, peer.address);
    const bool is_known = known != device.peers.end();
    const bool has_address = is_known && known->second.allowed == std::set{peer.address};
    const bool waits = !has_address && holder != device.peers.end() && holder->first != peer.key &&
                       may_be_in_use(holder->second, now_seconds) && !(is_known && known->second.handshake_seconds > 0);
    if (waits) kept.insert(holder->first);
    kept.insert(peer.key);
    step.pending = step.pending || waits;
    if (!has_address && !waits) change.allowed = peer.address;
    if (!is_known) {
      // Where its former key was heard from it is to be found still, unless it says otherwise.
      const auto said = holder == device.peers.end() ? told.end() : told.find(holder->first);
      const bool stays = said != told.end() && said->second == peer.endpoint && holder->second.endpoint;
      change.endpoint = stays ? *holder->second.endpoint : peer.endpoint;
    } else if (const auto said = told.find(peer.key);
               !known->second.endpoint || (said != told.end() && said->second != peer.endpoint)) {
      change.endpoint = peer.endpoint;
    }
    if (!is_known || change.endpoint || change.allowed) step.change.peers.push_back(change);
  }
  for (const auto& [key, peer] : device.peers) {
    if (!kept.contains(key)) step.change.peers.push_back({.key = key, .remove = true, .endpoint = {}, .allowed = {}});
  }
  return step;
}

base::Result<std::unique_ptr<WireguardEngine>> choose_wireguard(const std::string& probe,
                                                                const std::filesystem::path& folder) {
  auto kernel = make_kernel_wireguard();
  if (kernel->ensure(probe)) {
    RETURN_IF_ERROR(kernel->remove(probe));
    return kernel;
  }
  if (!base::find_program("wireguard-go"))
    return base::fail(base::Code::kFailedPrecondition,
                      "--mesh needs WireGuard, which this kernel doesn't have: install wireguard-go, or a kernel with "
                      "the module wireguard");
  if (::access("/dev/net/tun", R_OK | W_OK) != 0)
    return base::fail(
        base::Code::kFailedPrecondition,
        "--mesh needs WireGuard, which this kernel doesn't have, and wireguard-go needs /dev/net/tun: load "
        "the module tun, or give this machine that device");
  return make_wireguard_go(folder);
}

}  // namespace orchion::node::networks
