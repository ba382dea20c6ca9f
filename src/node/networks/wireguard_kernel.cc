// WireGuard of the kernel, by generic netlink. Source: linux/wireguard.h, linux/genetlink.h.

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/time_types.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "node/networks/links.h"
#include "node/networks/netlink.h"
#include "node/networks/wireguard.h"
#include "node/networks/wiring.h"

namespace orchion::node::networks {
namespace {

// A nested attribute's length has 16 bits; a peer takes some hundred bytes.
constexpr std::size_t kPeersPerRequest = 128;

NetlinkRequest generic_request(std::uint16_t family, std::uint16_t flags, std::uint8_t command, std::uint8_t version) {
  NetlinkRequest request(family, flags);
  request.body(genlmsghdr{.cmd = command, .version = version, .reserved = 0});
  return request;
}

base::Result<std::uint16_t> find_family(NetlinkSocket& socket) {
  auto request = generic_request(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 1);
  request.text(CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
  ASSIGN_OR_RETURN(const auto answers, socket.query(std::move(request), "asking the kernel for WireGuard"));
  std::uint16_t family = 0;
  if (!answers.empty()) {
    const auto id = answers[0].attribute(sizeof(genlmsghdr), CTRL_ATTR_FAMILY_ID);
    if (id.size() == sizeof(family)) std::memcpy(&family, id.data(), sizeof(family));
  }
  if (family == 0) return base::fail(base::Code::kFailedPrecondition, "this kernel doesn't have WireGuard");
  return family;
}

template <class T>
bool copy_exactly(std::span<const std::uint8_t> bytes, T& out) {
  if (bytes.size() != sizeof(T)) return false;
  std::memcpy(&out, bytes.data(), sizeof(T));
  return true;
}

void put_peer(NetlinkRequest& request, const WireguardPeerChange& change) {
  const auto peer = request.open(NLA_F_NESTED);
  request.attribute(WGPEER_A_PUBLIC_KEY, change.key.data(), change.key.size());
  std::uint32_t flags = 0;
  if (change.remove) flags |= WGPEER_F_REMOVE_ME;
  if (change.allowed) flags |= WGPEER_F_REPLACE_ALLOWEDIPS;
  request.value(WGPEER_A_FLAGS, flags);
  if (!change.remove) request.value(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, kKeepaliveSeconds);
  if (change.endpoint) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(change.endpoint->port);
    address.sin_addr.s_addr = htonl(change.endpoint->address.value);
    request.value(WGPEER_A_ENDPOINT, address);
  }
  if (change.allowed) {
    const auto all = request.open(WGPEER_A_ALLOWEDIPS | NLA_F_NESTED);
    const auto one = request.open(NLA_F_NESTED);
    request.value(WGALLOWEDIP_A_FAMILY, std::uint16_t{AF_INET});
    request.value(WGALLOWEDIP_A_IPADDR, htonl(change.allowed->value));
    request.value(WGALLOWEDIP_A_CIDR_MASK, std::uint8_t{32});
    request.close(one).close(all);
  }
  request.close(peer);
}

void read_allowed(std::span<const std::uint8_t> list, WireguardPeer& peer) {
  for_attributes(list, [&](std::uint16_t, std::span<const std::uint8_t> item) {
    std::uint32_t address = 0;
    std::uint8_t bits = 0;
    for_attributes(item, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
      if (type == WGALLOWEDIP_A_IPADDR) copy_exactly(value, address);
      if (type == WGALLOWEDIP_A_CIDR_MASK) copy_exactly(value, bits);
    });
    if (bits == 32) peer.allowed.insert(Ipv4{ntohl(address)});
  });
}

// A peer with many addresses comes in several pieces, each with its key.
void read_peer(std::span<const std::uint8_t> item, WireguardDevice& device) {
  WireguardKey key{};
  for_attributes(item, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
    if (type == WGPEER_A_PUBLIC_KEY) copy_exactly(value, key);
  });
  auto& peer = device.peers[key];
  for_attributes(item, [&](std::uint16_t type, std::span<const std::uint8_t> value) {
    sockaddr_in address{};
    __kernel_timespec handshake{};
    if (type == WGPEER_A_ENDPOINT && copy_exactly(value, address) && address.sin_family == AF_INET)
      peer.endpoint = WireguardEndpoint{Ipv4{ntohl(address.sin_addr.s_addr)}, ntohs(address.sin_port)};
    if (type == WGPEER_A_LAST_HANDSHAKE_TIME && copy_exactly(value, handshake))
      peer.handshake_seconds = handshake.tv_sec;
    if (type == WGPEER_A_ALLOWEDIPS) read_allowed(value, peer);
  });
}

class KernelWireguard final : public WireguardEngine {
 public:
  std::string name() const override { return "kernel"; }

  base::Result<> ensure(const std::string& device) override {
    ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
    const auto known = find_link(socket, device);
    if (known && known->kind == "wireguard") return {};
    RETURN_IF_ERROR(delete_if_there(socket, device));
    return socket.run_one(make_wireguard(device), "making the tunnel " + device);
  }

  base::Result<WireguardDevice> read(const std::string& device) override {
    ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open_generic());
    ASSIGN_OR_RETURN(const auto family, find_family(socket));
    auto request = generic_request(family, NLM_F_DUMP, WG_CMD_GET_DEVICE, WG_GENL_VERSION);
    request.text(WGDEVICE_A_IFNAME, device);
    ASSIGN_OR_RETURN(const auto answers, socket.query(std::move(request), "reading the tunnel " + device));
    WireguardDevice found;
    for (const auto& answer : answers) {
      copy_exactly(answer.attribute(sizeof(genlmsghdr), WGDEVICE_A_PRIVATE_KEY), found.private_key);
      copy_exactly(answer.attribute(sizeof(genlmsghdr), WGDEVICE_A_LISTEN_PORT), found.port);
      for_attributes(answer.attribute(sizeof(genlmsghdr), WGDEVICE_A_PEERS),
                     [&](std::uint16_t, std::span<const std::uint8_t> item) { read_peer(item, found); });
    }
    return found;
  }

  base::Result<> apply(const std::string& device, const WireguardChange& change) override {
    ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open_generic());
    ASSIGN_OR_RETURN(const auto family, find_family(socket));
    std::size_t done = 0;
    do {
      auto request = generic_request(family, 0, WG_CMD_SET_DEVICE, WG_GENL_VERSION);
      request.text(WGDEVICE_A_IFNAME, device);
      if (done == 0 && change.private_key)
        request.attribute(WGDEVICE_A_PRIVATE_KEY, change.private_key->data(), change.private_key->size());
      if (done == 0 && change.port) request.value(WGDEVICE_A_LISTEN_PORT, *change.port);
      const auto peers = request.open(WGDEVICE_A_PEERS | NLA_F_NESTED);
      const auto end = std::min(change.peers.size(), done + kPeersPerRequest);
      for (; done < end; ++done) put_peer(request, change.peers[done]);
      request.close(peers);
      RETURN_IF_ERROR(socket.run_one(std::move(request), "changing the tunnel " + device));
    } while (done < change.peers.size());
    return {};
  }

  base::Result<> remove(const std::string& device) override {
    ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
    RETURN_IF_ERROR(delete_if_there(socket, device));
    return {};
  }
};

}  // namespace

std::unique_ptr<WireguardEngine> make_kernel_wireguard() {
  return std::make_unique<KernelWireguard>();
}

}  // namespace orchion::node::networks
