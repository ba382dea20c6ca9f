#include "node/networks/wireguard_uapi.h"

#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace orchion::node::networks {
namespace {

std::string hex(const WireguardKey& key) {
  return fmt::format("{:02x}", fmt::join(key, ""));
}

std::optional<WireguardKey> parse_hex(std::string_view text) {
  WireguardKey key{};
  if (text.size() != 2 * key.size()) return std::nullopt;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto* begin = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, key[i], 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
  }
  return key;
}

template <class Number>
bool take_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

template <class Line>
void for_lines(std::string_view text, Line line) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto each = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (const auto equals = each.find('='); equals != each.npos) line(each.substr(0, equals), each.substr(equals + 1));
  }
}

// What isn't known, or isn't ours (IPv6, ranges), is passed over.
bool take_peer_line(WireguardPeer& peer, std::string_view name, std::string_view value) {
  if (name == "endpoint") {
    if (const auto endpoint = parse_endpoint(value)) peer.endpoint = *endpoint;
  } else if (name == "last_handshake_time_sec") {
    return take_number(value, peer.handshake_seconds);
  } else if (name == "allowed_ip" && value.ends_with("/32")) {
    if (const auto address = parse_ipv4(value.substr(0, value.size() - 3))) peer.allowed.insert(*address);
  }
  return true;
}

}  // namespace

std::string uapi_set_text(const WireguardChange& change) {
  std::string text = "set=1\n";
  if (change.private_key) text += fmt::format("private_key={}\n", hex(*change.private_key));
  if (change.port) text += fmt::format("listen_port={}\n", *change.port);
  for (const auto& peer : change.peers) {
    text += fmt::format("public_key={}\n", hex(peer.key));
    if (peer.remove) {
      text += "remove=true\n";
      continue;
    }
    if (peer.endpoint) text += fmt::format("endpoint={}\n", to_string(*peer.endpoint));
    text += fmt::format("persistent_keepalive_interval={}\n", kKeepaliveSeconds);
    if (peer.allowed) text += fmt::format("replace_allowed_ips=true\nallowed_ip={}/32\n", to_string(*peer.allowed));
  }
  return text + "\n";
}

base::Result<int> parse_uapi_errno(std::string_view answer) {
  std::optional<int> found;
  for_lines(answer, [&](std::string_view name, std::string_view value) {
    if (int number = 0; name == "errno" && take_number(value, number)) found = number;
  });
  if (!found) return base::fail(base::Code::kDataLoss, "wireguard-go gave no answer that this version understands");
  return *found < 0 ? -*found : *found;
}

base::Result<WireguardDevice> parse_uapi_device(std::string_view answer) {
  WireguardDevice device;
  WireguardPeer* peer = nullptr;
  bool good = true;
  for_lines(answer, [&](std::string_view name, std::string_view value) {
    if (name == "public_key") {
      const auto key = parse_hex(value);
      good = good && key;
      peer = key ? &device.peers[*key] : nullptr;
    } else if (peer != nullptr) {
      good = good && take_peer_line(*peer, name, value);
    } else if (name == "private_key") {
      const auto key = parse_hex(value);
      good = good && key;
      device.private_key = key.value_or(WireguardKey{});
    } else if (name == "listen_port") {
      good = good && take_number(value, device.port);
    }
  });
  if (good) return device;
  return base::fail(base::Code::kDataLoss, "wireguard-go gave no answer that this version understands");
}

}  // namespace orchion::node::networks
