#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace orchion::core {

// RFC 4648, with padding.
std::string encode_base64(std::string_view bytes);

// nullopt where it isn't that: other characters, padding that is missing, bits that are left over.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace orchion::core
