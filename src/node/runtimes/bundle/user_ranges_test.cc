#include "node/runtimes/bundle/user_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "node/runtimes/conformance/busybox_root.h"

namespace orchion::node::runtimes::bundle {
namespace {

using testing::HasSubstr;

TEST(UserPool, IsReadAsItIsWritten) {
  EXPECT_EQ(parse_user_pool("1000000-1065535").value(), (UserPool{1'000'000, 1'065'535}));
  EXPECT_EQ(parse_user_pool("1000000-1065535")->ranges(), 1u);
  EXPECT_GT(UserPool().ranges(), 4000u);
  for (const char* text : {"", "x", "1-", "0-65535", "5000-6000", "70000-60000", "1000000-4294967295", "1-99999 "}) {
    const auto pool = parse_user_pool(text);
    ASSERT_FALSE(pool.has_value()) << text;
    EXPECT_THAT(pool.error().message, HasSubstr("write FIRST-LAST"));
  }
}

TEST(UserPool, IsFoundAmongSubordinateUsers) {
  const std::string_view file = "me:100000:65536\n# orchion:1:2\norchion:500:20\norchion:1000000:131072\nother:1:1";
  EXPECT_EQ(find_subordinate_users(file, "orchion"), (UserPool{1'000'000, 1'131'071})) << "the first with room";
  EXPECT_EQ(find_subordinate_users(file, "other"), std::nullopt);
  EXPECT_EQ(find_subordinate_users("", "orchion"), std::nullopt);
}

TEST(UserRange, IsChosenWhereNobodyElseIs) {
  const UserPool pool{1'000'000, 1'000'000 + 4 * 65536 - 1};
  const auto first = choose_range(pool, {}, "a").value();
  EXPECT_EQ((first - pool.first) % 65536, 0u);
  EXPECT_LE(first + 65535, pool.last);
  EXPECT_EQ(choose_range(pool, {}, "a"), first) << "the same seed, the same place";
  std::set<std::uint32_t> taken;
  for (int i = 0; i < 4; ++i) {
    const auto range = choose_range(pool, taken, "a");
    ASSERT_TRUE(range.has_value());
    EXPECT_TRUE(taken.insert(*range).second);
  }
  EXPECT_EQ(choose_range(pool, taken, "a"), std::nullopt);
}

TEST(UserRange, OfAnEarlierPoolIsNotCutInto) {
  const UserPool pool{1'000'000, 1'000'000 + 2 * 65536 - 1};
  EXPECT_EQ(choose_range(pool, {1'000'000 + 100}, "a"), std::nullopt) << "it lies across both";
  EXPECT_EQ(choose_range(pool, {1'000'000 - 100}, "a"), 1'065'536u);
}

TEST(UserRanges, StayWithTheirBundles) {
  const TestFolder folder;
  const auto a = folder.path() / "a", b = folder.path() / "b", c = folder.path() / "c";
  for (const auto& bundle : {a, b, c}) ASSERT_TRUE(base::make_folders(bundle).has_value());
  const UserPool pool{1'000'000, 1'000'000 + 2 * 65536 - 1};
  const auto of_a = UserRanges(pool, "x").take(a).value();
  UserRanges again(pool, "x");
  EXPECT_EQ(again.take(a).value(), of_a);
  EXPECT_EQ(range_of(a), of_a);
  const auto of_b = again.take(b).value();
  EXPECT_NE(of_b, of_a);
  const auto none = again.take(c);
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message, HasSubstr("no users left"));
  EXPECT_EQ(range_of(c), std::nullopt);
  ASSERT_TRUE(base::remove_tree(a).has_value());
  EXPECT_EQ(again.take(c).value(), of_a) << "free again";
}

}  // namespace
}  // namespace orchion::node::runtimes::bundle
