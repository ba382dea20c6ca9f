#include "node/devices/text.h"

#include <charconv>

namespace orchion::node::devices {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const auto end = text.find(separator);
    if (end != 0) pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return pieces;
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string_view> find_value(std::string_view text, std::string_view name, char separator) {
  for (const auto line : split(text, '\n')) {
    const auto end = line.find(separator);
    if (end != std::string_view::npos && line.substr(0, end) == name) return trim(line.substr(end + 1));
  }
  return std::nullopt;
}

std::optional<std::int64_t> find_number(std::string_view text, std::string_view name, char separator) {
  const auto value = find_value(text, name, separator);
  return value ? parse_number(value->substr(0, value->find_first_of(" \t"))) : std::nullopt;
}

}  // namespace orchion::node::devices
