#include "core/naming.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

namespace orchion::core {

namespace {

bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

// Digits only, without a leading zero, so that each number has one spelling.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  if (text.empty() || text[0] < '1' || text[0] > '9') return std::nullopt;
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

bool is_dns_label(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), is_label_character);
}

bool is_dns_name(std::string_view text) {
  if (text.size() > 253) return false;
  while (true) {
    const auto dot = text.find('.');
    if (!is_dns_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_host_alias(std::string_view text) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '_', '0');
  return is_dns_name(plain);
}

std::string task_name(std::string_view service, std::uint32_t slot, std::string_view suffix) {
  return fmt::format("{}.{}.{}", service, slot, suffix);
}

std::string slot_name(std::string_view service, std::uint32_t slot) {
  return fmt::format("{}.{}", service, slot);
}

std::string revision_name(std::string_view service, std::uint64_t generation) {
  return fmt::format("{}.{}", service, generation);
}

std::optional<std::uint64_t> revision_generation(std::string_view service, std::string_view revision) {
  if (revision.size() <= service.size() || !revision.starts_with(service) || revision[service.size()] != '.')
    return std::nullopt;
  return parse_number<std::uint64_t>(revision.substr(service.size() + 1));
}

base::Result<Address> parse_address(std::string_view text) {
  const auto fail = [&] {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" names nothing: write STACK/SERVICE, STACK/SERVICE.N or SERVICE", text));
  };
  Address address;
  std::string_view rest = text;
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    address.stack = rest.substr(0, slash);
    rest.remove_prefix(slash + 1);
    if (!is_dns_label(address.stack)) return fail();
  }
  if (const auto dot = rest.find('.'); dot != std::string_view::npos) {
    auto number = rest.substr(dot + 1);
    if (const auto second = number.find('.'); second != std::string_view::npos) {
      const auto index = number.substr(second + 1);
      address.index = index == "0" ? std::optional(0u) : parse_number<std::uint32_t>(index);
      if (!address.index) return fail();
      number = number.substr(0, second);
    }
    const auto slot = parse_number<std::uint32_t>(number);
    if (!slot) return fail();
    address.slot = *slot;
    rest = rest.substr(0, dot);
  }
  if (!is_dns_label(rest)) return fail();
  address.service = rest;
  return address;
}

std::string format_address(const Address& address) {
  std::string text = address.stack.empty() ? address.service : address.stack + "/" + address.service;
  if (address.slot != 0) text += fmt::format(".{}", address.slot);
  if (address.index) text += fmt::format(".{}", *address.index);
  return text;
}

}  // namespace orchion::core
