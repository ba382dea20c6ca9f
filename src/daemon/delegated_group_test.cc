#include "daemon/delegated_group.h"

#include <gtest/gtest.h>

namespace orchion::daemon {
namespace {

TEST(UnifiedGroup, IsTheLineWithoutControllers) {
  EXPECT_EQ(unified_group("0::/user.slice/a.scope\n"), "/user.slice/a.scope");
  EXPECT_EQ(unified_group("12:pids:/x\n1:name=systemd:/y\n0::/z\n"), "/z");
  EXPECT_EQ(unified_group("12:pids:/x\n"), "");
  EXPECT_EQ(unified_group(""), "");
}

}  // namespace
}  // namespace orchion::daemon
