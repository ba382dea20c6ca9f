#include "wire/tls/x25519.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace orchion::wire::tls {
namespace {

// RFC 7748, section 6.1: Alice's.
TEST(X25519, ThePublicKeyOfTheSpecification) {
  const X25519Key alice{0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
                        0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
  const auto key = x25519_public_key(alice);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(fmt::format("{:02x}", fmt::join(*key, "")),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
}

TEST(X25519, EachIsAnother) {
  const auto one = make_x25519_key();
  const auto other = make_x25519_key();
  ASSERT_TRUE(one && other);
  EXPECT_NE(*one, *other);
  EXPECT_NE(x25519_public_key(*one).value(), x25519_public_key(*other).value());
}

}  // namespace
}  // namespace orchion::wire::tls
