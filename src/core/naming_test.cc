#include "core/naming.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

TEST(Naming, DnsLabels) {
  for (const char* good : {"a", "web", "web-1", "1", "a0"}) EXPECT_TRUE(is_dns_label(good)) << good;
  for (const char* bad : {"", "-a", "a-", "Web", "a_b", "a.b", "ä", "a b"}) EXPECT_FALSE(is_dns_label(bad)) << bad;
  EXPECT_TRUE(is_dns_label(std::string(63, 'a')));
  EXPECT_FALSE(is_dns_label(std::string(64, 'a')));
}

TEST(Naming, DnsNames) {
  for (const char* good : {"a", "db.example", "a.b.c"}) EXPECT_TRUE(is_dns_name(good)) << good;
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a.-b"}) EXPECT_FALSE(is_dns_name(bad)) << bad;
}

TEST(Naming, TasksSlotsAndRevisions) {
  EXPECT_EQ(task_name("web", 3, "k4x7qa"), "web.3.k4x7qa");
  EXPECT_EQ(slot_name("web", 3), "web.3");
  EXPECT_EQ(revision_name("web", 7), "web.7");
  EXPECT_EQ(revision_generation("web", "web.7"), 7u);
  for (const char* other : {"web", "web.", "web.07", "web.7x", "webs.7", "we.7", "web.-7", "web.0"})
    EXPECT_FALSE(revision_generation("web", other)) << other;
}

TEST(Naming, AddressesInAllThreeForms) {
  const struct {
    const char* text;
    Address address;
  } cases[] = {
      {"shop/web.2", {"shop", "web", 2}},
      {"shop/web", {"shop", "web", 0}},
      {"web", {"", "web", 0}},
      {"web.12", {"", "web", 12}},
  };
  for (const auto& c : cases) {
    auto parsed = parse_address(c.text);
    ASSERT_TRUE(parsed) << c.text;
    EXPECT_EQ(*parsed, c.address);
    EXPECT_EQ(format_address(*parsed), c.text);
  }
}

TEST(Naming, WhatIsNoAddressSaysTheForms) {
  for (const char* bad : {"", "/", "shop/", "/web", "a/b/c", "web.0", "web.x", "web.1.x", "Web", "web.99999999999"}) {
    auto parsed = parse_address(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, base::Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find("STACK/SERVICE.N"), std::string::npos);
  }
}

}  // namespace
}  // namespace orchion::core
