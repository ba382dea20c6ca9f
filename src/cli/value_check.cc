#include "cli/value_check.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "cli/detach_keys.h"
#include "cli/duration.h"
#include "cli/suggestion.h"
#include "core/naming.h"
#include "core/quantities.h"
#include "spec/port_syntax.h"
#include "wire/http_client.h"

namespace orchion::cli {

namespace {

template <class T>
std::string sentence(const base::Result<T>& parsed) {
  return parsed ? "" : parsed.error().message;
}

}  // namespace

std::string check_duration(const std::string& text) {
  return sentence(parse_duration(text));
}

std::string check_moment(const std::string& text) {
  return sentence(parse_moment(text, base::WallTime()));
}

std::string check_field(const std::string& text) {
  const auto sign = text.find('=');
  if (sign != std::string::npos && sign > 0) return "";
  return fmt::format("{} is no field with its value: write status=500", text);
}

std::string check_memory(const std::string& text) {
  return sentence(core::parse_bytes(text));
}

std::string check_cpus(const std::string& text) {
  return sentence(core::parse_cpus(text));
}

std::string check_ports(const std::string& text) {
  return sentence(spec::parse_ports(text));
}

std::string check_forwarding(const std::string& text) {
  constexpr std::int64_t kPortMax = std::numeric_limits<std::uint16_t>::max();
  const auto colon = text.find(':');
  const bool has_local = colon != std::string::npos;
  const bool good = check_number(has_local ? text.substr(colon + 1) : text, 1, kPortMax).empty() &&
                    (!has_local || check_number(text.substr(0, colon), 0, kPortMax).empty());
  return good
             ? ""
             : fmt::format("`{}` is no port to forward: write it like 8080:80, or 80 for the same on both sides", text);
}

std::string check_name(const std::string& text) {
  if (core::is_dns_label(text)) return "";
  return fmt::format(
      "`{}` is no name: use a-z, 0-9 and -, at most {} of them, and begin and end with a letter or digit", text,
      core::kNameBytesMax);
}

std::string check_keys(const std::string& text) {
  return sentence(DetachKeys::parse(text));
}

std::string check_variable(const std::string& text) {
  return !text.empty() && text.front() != '=' ? "" : fmt::format("`{}` has no name: write it like NAME=VALUE", text);
}

std::string check_server(const std::string& text) {
  return sentence(wire::Endpoint::parse(text));
}

std::string check_listener(const std::string& text) {
  const auto colon = text.rfind(':');
  const bool good = colon != std::string::npos && colon > 0 && text.find('/') == std::string::npos &&
                    check_number(text.substr(colon + 1), 0, std::numeric_limits<std::uint16_t>::max()).empty();
  return good ? "" : fmt::format("`{}` is no address to listen on: write it like 127.0.0.1:4600", text);
}

std::string check_scaling(const std::string& text) {
  const auto equals = text.find('=');
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
  if (equals == std::string::npos || !check_number(text.substr(equals + 1), 0, kMost).empty())
    return fmt::format("{} says no number of tasks: write it like shop/web=3", text);
  const auto address = core::parse_address(text.substr(0, equals));
  if (address && address->slot != 0)
    return fmt::format("{} names one task, but a service is scaled: leave .{} out", text, address->slot);
  return sentence(address);
}

std::string check_number(const std::string& text, std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && stopped == text.data() + text.size() && !text.empty();
  if (whole && number >= least && number <= most) return "";
  return fmt::format("`{}` is no number from {} to {}", text, least, most);
}

std::string check_choice(const std::string& text, const std::vector<std::string>& choices) {
  if (std::ranges::find(choices, text) != choices.end()) return "";
  const auto all = fmt::format(": choose one of {}", fmt::join(choices, ", "));
  return fmt::format("`{}` is none of its words{}", text, suggestion(text, choices, all));
}

}  // namespace orchion::cli
