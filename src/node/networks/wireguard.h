#pragma once

// One WireGuard link: what it holds, what is to change, and who carries that out: the kernel, or a program beside it.
// Source: https://www.wireguard.com/protocol/, https://www.wireguard.com/xplatform/.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/networks/addresses.h"
#include "wire/tls/x25519.h"

namespace orchion::node::networks {

using WireguardKey = wire::tls::X25519Key;

// As people and `wg` write it.
std::string to_base64(const WireguardKey& key);
base::Result<WireguardKey> parse_wireguard_key(std::string_view base64);

struct WireguardEndpoint {
  Ipv4 address;
  std::uint16_t port = 0;

  auto operator<=>(const WireguardEndpoint&) const = default;
};

// "192.168.1.5:4604"
base::Result<WireguardEndpoint> parse_endpoint(std::string_view text);
std::string to_string(const WireguardEndpoint& endpoint);

// What a device holds of another machine.
struct WireguardPeer {
  std::optional<WireguardEndpoint> endpoint;  // as told, or from where it was heard last
  std::set<Ipv4> allowed;                     // which single addresses it has
  std::int64_t handshake_seconds = 0;         // Unix time of the last; 0: never

  bool operator==(const WireguardPeer&) const = default;
};

struct WireguardDevice {
  WireguardKey private_key{};
  std::uint16_t port = 0;
  std::map<WireguardKey, WireguardPeer> peers;

  bool operator==(const WireguardDevice&) const = default;
};

// Another machine, as it is to be: its one address, within.
struct TunnelPeer {
  Ipv4 address;
  WireguardKey key{};
  WireguardEndpoint endpoint;

  bool operator==(const TunnelPeer&) const = default;
};

struct TunnelPlan {
  WireguardKey private_key{};
  std::uint16_t port = 0;
  std::vector<TunnelPeer> peers;
};

struct WireguardPeerChange {
  WireguardKey key{};
  bool remove = false;
  std::optional<WireguardEndpoint> endpoint;
  std::optional<Ipv4> allowed;  // alone, and no other peer's any more

  bool operator==(const WireguardPeerChange&) const = default;
};

struct WireguardChange {
  std::optional<WireguardKey> private_key;
  std::optional<std::uint16_t> port;
  std::vector<WireguardPeerChange> peers;

  bool empty() const { return !private_key && !port && peers.empty(); }
  bool operator==(const WireguardChange&) const = default;
};

struct WireguardStep {
  WireguardChange change;
  bool pending = false;  // a machine's next key stands by: look again soon
};

// The next step from what the device holds to the plan. Pure. A machine's new key stands beside its former one until it
// has spoken by it, so that at no moment neither of both leads there; a former one that was silent for three minutes,
// which no session survives, is not waited for. `told`: the endpoints that were said before, by key: one that the
// device has learned since stays until another is said.
WireguardStep plan_wireguard(const WireguardDevice& device, const TunnelPlan& plan,
                             const std::map<WireguardKey, WireguardEndpoint>& told, std::int64_t now_seconds);

// How often a peer is spoken to where nothing else is said, so that what translates addresses on the way remembers it.
inline constexpr std::uint16_t kKeepaliveSeconds = 25;

// What WireGuard, UDP and IPv4 take of each packet, and what room IPv6 would take more.
inline constexpr int kWireguardBytes = 80;

// Makes and changes devices. Blocks; in the network namespace of the calling thread.
class WireguardEngine {
 public:
  virtual ~WireguardEngine() = default;
  virtual std::string name() const = 0;  // as NodeMesh.engine

  // Makes the device where there is none. One of another engine is made anew.
  virtual base::Result<> ensure(const std::string& device) = 0;
  virtual base::Result<WireguardDevice> read(const std::string& device) = 0;
  virtual base::Result<> apply(const std::string& device, const WireguardChange& change) = 0;

  // No error where there is none.
  virtual base::Result<> remove(const std::string& device) = 0;
};

std::unique_ptr<WireguardEngine> make_kernel_wireguard();

// `folder`: where it keeps notes of its program, which outlives this one.
std::unique_ptr<WireguardEngine> make_wireguard_go(std::filesystem::path folder);

// The kernel's, or else wireguard-go; kFailedPrecondition says what to install. `probe`: a device's name that is free.
base::Result<std::unique_ptr<WireguardEngine>> choose_wireguard(const std::string& probe,
                                                                const std::filesystem::path& folder);

}  // namespace orchion::node::networks
