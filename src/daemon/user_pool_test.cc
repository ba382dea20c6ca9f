#include "daemon/user_pool.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace orchion::daemon {
namespace {

TEST(UserPoolOfNode, IsTheEnvironmentsWhereThatSaysOne) {
  ::setenv("ORCHION_USERS", "2000000-2999999", 1);
  const auto pool = read_user_pool();
  ASSERT_TRUE(pool.has_value());
  EXPECT_EQ(pool->first, 2'000'000u);
  ::setenv("ORCHION_USERS", "many", 1);
  const auto wrong = read_user_pool();
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, base::Code::kInvalidArgument);
  ::unsetenv("ORCHION_USERS");
  EXPECT_TRUE(read_user_pool().has_value());
}

}  // namespace
}  // namespace orchion::daemon
