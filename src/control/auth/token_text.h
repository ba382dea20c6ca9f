#pragma once

// What a token looks like, and the only form in which it is stored.

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::control::auth {

// "orc_" and 256 bits of the operating system's randomness in base32 (RFC 4648, lower case, unpadded). A secret.
base::Result<std::string> make_token();

// Whether `text` has the form of a token of ours; says nothing of its being valid.
bool is_token(std::string_view text);

// SHA-256, 32 bytes. A token is random enough to need no salt and no slow hash.
std::string hash_token(std::string_view token);

// Takes the same time wherever they differ.
bool equal_hashes(std::string_view a, std::string_view b);

}  // namespace orchion::control::auth
