#pragma once

#include <string>
#include <string_view>

namespace orchion::node::runtimes::bundle {

// 32 hexadecimal digits of SHA-256: names for content.
std::string short_digest(std::string_view content);

// RFC 4648, padded.
std::string base64(std::string_view bytes);

}  // namespace orchion::node::runtimes::bundle
