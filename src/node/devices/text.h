#pragma once

// Reading the small text files of /proc, /sys and /etc.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace orchion::node::devices {

std::string_view trim(std::string_view text);

// Empty pieces are left out. The views point into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);

// The whole of `text` as a decimal number; anything else is nullopt.
std::optional<std::int64_t> parse_number(std::string_view text);

// In lines "NAME<separator>VALUE…", the value of the first line with this name, trimmed.
std::optional<std::string_view> find_value(std::string_view text, std::string_view name, char separator);

// The same, its first word as a number.
std::optional<std::int64_t> find_number(std::string_view text, std::string_view name, char separator);

}  // namespace orchion::node::devices
