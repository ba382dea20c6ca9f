#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::wire::tls {

// A new EC P-256 private key, PEM (PKCS #8). A secret.
base::Result<std::string> make_key();

// SHA-256 of its public half as certificates hold it, lower-case hexadecimal: the same as Certificate::key_fingerprint.
base::Result<std::string> key_fingerprint(std::string_view key);

}  // namespace orchion::wire::tls
