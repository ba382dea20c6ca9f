#include "cli/copy_end.h"

#include <gtest/gtest.h>

#include "cli/value_check.h"

namespace orchion::cli {
namespace {

TEST(CopyEnds, AreInAContainerOrHere) {
  const auto inside = parse_copy_end("shop/web.2:/etc/hosts");
  ASSERT_TRUE(inside.has_value());
  EXPECT_EQ(inside->task, (core::Address{"shop", "web", 2}));
  EXPECT_EQ(inside->path, "/etc/hosts");
  EXPECT_EQ(parse_copy_end("web:conf")->path, "conf");
  for (const auto* here : {"file", "-", "./a:b", "/a:b", "../a:b", "dir/"}) {
    const auto end = parse_copy_end(here);
    ASSERT_TRUE(end.has_value()) << here;
    EXPECT_FALSE(end->task.has_value()) << here;
    EXPECT_EQ(end->path, here);
  }
  for (const auto* wrong : {"", "web:", "a/b/c:/x", "shop/UPPER:/x"}) {
    const auto end = parse_copy_end(wrong);
    ASSERT_FALSE(end.has_value()) << wrong;
    EXPECT_EQ(end.error().code, base::Code::kInvalidArgument);
  }
}

TEST(CopyEnds, PathsAreSplit) {
  const auto parts = [](const std::string& path) {
    const auto split = split_path(path);
    return split.folder + " " + split.name;
  };
  EXPECT_EQ(parts("file"), ". file");
  EXPECT_EQ(parts("a/b"), "a b");
  EXPECT_EQ(parts("a/b//"), "a b");
  EXPECT_EQ(parts("/b"), "/ b");
  EXPECT_EQ(parts("/"), "/ ");
  EXPECT_EQ(parts(".."), ".. ");
  EXPECT_EQ(parts("a/."), "a/. ");
  EXPECT_TRUE(means_content("a/."));
  EXPECT_TRUE(means_content("."));
  EXPECT_FALSE(means_content("a/"));
}

TEST(PortPairs, AreChecked) {
  for (const auto* good : {"80", "8080:80", "0:80"}) EXPECT_EQ(check_forwarding(good), "") << good;
  for (const auto* wrong : {"", "0", "80:0", "x", "1:2:3", "65536", ":80", "80:", "-1:80"})
    EXPECT_NE(check_forwarding(wrong), "") << wrong;
}

}  // namespace
}  // namespace orchion::cli
