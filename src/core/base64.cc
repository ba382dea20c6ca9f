#include "core/base64.h"

#include <cstdint>

namespace orchion::core {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto group = bytes.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (j < group.size() ? static_cast<unsigned char>(group[j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) text += j <= group.size() ? kDigits[bits >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    auto group = text.substr(i, 4);
    if (i + 4 == text.size())
      while (group.size() > 2 && group.ends_with('=')) group.remove_suffix(1);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const auto digit = j < group.size() ? kDigits.find(group[j]) : 0;
      if (digit == std::string_view::npos) return std::nullopt;
      bits = bits << 6 | static_cast<std::uint32_t>(digit);
    }
    const std::size_t count = group.size() - 1;
    if ((bits & (0xffffffU >> (8 * count))) != 0) return std::nullopt;
    for (std::size_t j = 0; j < count; ++j) bytes += static_cast<char>(bits >> (16 - 8 * j) & 0xff);
  }
  return bytes;
}

}  // namespace orchion::core
