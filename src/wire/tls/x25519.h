#pragma once

// Keys of X25519 (RFC 7748), as WireGuard has them.

#include <array>
#include <cstdint>

#include "base/error.h"

namespace orchion::wire::tls {

using X25519Key = std::array<std::uint8_t, 32>;

// A new private key. A secret.
base::Result<X25519Key> make_x25519_key();

base::Result<X25519Key> x25519_public_key(const X25519Key& private_key);

}  // namespace orchion::wire::tls
