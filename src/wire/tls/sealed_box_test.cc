#include "wire/tls/sealed_box.h"

#include <gtest/gtest.h>

namespace orchion::wire::tls {
namespace {

TEST(SealedBox, OpensForWhoKnowsTheSecretAndThePurpose) {
  const auto box = seal("secret", "purpose", "the bytes").value();
  EXPECT_EQ(open_sealed("secret", "purpose", box), "the bytes");
  EXPECT_EQ(box.find("the bytes"), std::string::npos);
  EXPECT_EQ(open_sealed("another", "purpose", box).error().code, base::Code::kPermissionDenied);
  EXPECT_EQ(open_sealed("secret", "another", box).error().code, base::Code::kPermissionDenied);
  EXPECT_EQ(open_sealed("secret", "", box).error().code, base::Code::kPermissionDenied);
  EXPECT_NE(seal("secret", "purpose", "the bytes").value(), box) << "each has its own nonce";
  EXPECT_EQ(open_sealed("secret", "", seal("secret", "", "").value()), "");
}

TEST(SealedBox, RefusesEachChange) {
  const auto box = seal("secret", "purpose", "bytes").value();
  for (std::size_t i = 0; i < box.size(); ++i) {
    auto changed = box;
    changed[i] ^= 1;
    EXPECT_FALSE(open_sealed("secret", "purpose", changed)) << i;
    EXPECT_FALSE(open_sealed("secret", "purpose", box.substr(0, i))) << i;
  }
  EXPECT_FALSE(open_sealed("secret", "purpose", box + "x"));
}

TEST(SealedBox, IsTheNonceTheTagAndTheBytes) {
  EXPECT_EQ(seal("secret", "purpose", "bytes").value().size(), 12u + 16u + 5u);
}

}  // namespace
}  // namespace orchion::wire::tls
