#include "mesh/dns/reverse_name.h"

#include <charconv>

namespace orchion::mesh::dns {
namespace {

bool strip(std::string_view& name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return false;
  name.remove_suffix(suffix.size());
  return true;
}

// The last label, which is taken off; nullopt where it isn't a number as one would write it.
std::optional<unsigned> take_number(std::string_view& name, int base) {
  const auto dot = name.rfind('.');
  const std::string_view label = dot == std::string_view::npos ? name : name.substr(dot + 1);
  name = dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot);
  unsigned number = 0;
  const auto [end, bad] = std::from_chars(label.data(), label.data() + label.size(), number, base);
  if (bad != std::errc() || end != label.data() + label.size()) return std::nullopt;
  return label.size() > 1 && label.front() == '0' ? std::nullopt : std::optional(number);
}

std::optional<Address> read_v4(std::string_view name) {
  boost::asio::ip::address_v4::bytes_type bytes{};
  for (auto& byte : bytes) {
    const auto number = take_number(name, 10);
    if (!number || *number > 255) return std::nullopt;
    byte = static_cast<std::uint8_t>(*number);
  }
  return name.empty() ? std::optional<Address>(boost::asio::ip::address_v4(bytes)) : std::nullopt;
}

std::optional<Address> read_v6(std::string_view name) {
  boost::asio::ip::address_v6::bytes_type bytes{};
  for (auto& byte : bytes) {
    const auto high = take_number(name, 16);
    const auto low = take_number(name, 16);
    if (!high || !low || *high > 15 || *low > 15) return std::nullopt;
    byte = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return name.empty() ? std::optional<Address>(boost::asio::ip::address_v6(bytes)) : std::nullopt;
}

}  // namespace

std::optional<Address> address_of_reverse_name(std::string_view name) {
  if (strip(name, ".in-addr.arpa")) return read_v4(name);
  if (strip(name, ".ip6.arpa")) return read_v6(name);
  return std::nullopt;
}

}  // namespace orchion::mesh::dns
