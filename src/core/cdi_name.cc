#include "core/cdi_name.h"

#include <algorithm>
#include <cctype>

namespace orchion::core {

namespace {

bool is_alphanumeric(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 128;
}

// Letters, digits and `marks`, with a letter or digit at both ends.
bool is_word(std::string_view text, std::string_view marks) {
  return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::ranges::all_of(text, [&](char c) { return is_alphanumeric(c) || marks.find(c) != marks.npos; });
}

}  // namespace

bool is_cdi_kind(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return false;
  const auto vendor = text.substr(0, slash), device_class = text.substr(slash + 1);
  const auto begins_well = [](std::string_view word) { return !word.empty() && !std::isdigit(word.front()); };
  return begins_well(vendor) && begins_well(device_class) && is_word(vendor, "_-.") && is_word(device_class, "_-.");
}

bool is_cdi_device(std::string_view text) {
  return is_word(text, "_-.:");
}

bool is_cdi_name(std::string_view text) {
  const auto equals = text.find('=');
  return equals != text.npos && is_cdi_kind(text.substr(0, equals)) && is_cdi_device(text.substr(equals + 1));
}

}  // namespace orchion::core
