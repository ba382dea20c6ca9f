#pragma once

// Bytes that only who knows a secret can read or change: AES-256-GCM (NIST SP 800-38D), with a fresh random nonce each.

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::wire::tls {

// `secret` is random text of at least 128 bits: it isn't stretched. `purpose` is bound to the bytes: a box is opened
// only with the one that it was sealed with.
base::Result<std::string> seal(std::string_view secret, std::string_view purpose, std::string_view bytes);

// kPermissionDenied: another secret or purpose, or the box was changed.
base::Result<std::string> open_sealed(std::string_view secret, std::string_view purpose, std::string_view box);

}  // namespace orchion::wire::tls
