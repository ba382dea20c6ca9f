#include "control/services/paging.h"

#include <gtest/gtest.h>

namespace orchion::control::services {
namespace {

TEST(Paging, ATokenLeadsBackToItsPlace) {
  const auto page = parse_page(2, page_token_after({"shop", "docker.io/library/nginx:1"}));
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->after, (store::ObjectName{"shop", "docker.io/library/nginx:1"}));
  EXPECT_EQ(page->size, 2u);
}

TEST(Paging, SizesAreBounded) {
  EXPECT_EQ(parse_page(0, "")->size, static_cast<std::size_t>(kPageSizeDefault));
  EXPECT_EQ(parse_page(1 << 30, "")->size, static_cast<std::size_t>(kPageSizeMax));
  const auto negative = parse_page(-1, "");
  ASSERT_FALSE(negative.has_value());
  EXPECT_EQ(negative.error().fields.at(0).pointer, "/pageSize");
}

TEST(Paging, ForeignTokensAreRefused) {
  for (const char* token : {"x", "6", "616", "6162", "zz"}) {
    const auto page = parse_page(1, token);
    ASSERT_FALSE(page.has_value()) << token;
    EXPECT_EQ(page.error().message, "pageToken is not one that a list returned: begin without it");
    EXPECT_EQ(page.error().fields.at(0).pointer, "/pageToken");
  }
}

}  // namespace
}  // namespace orchion::control::services
