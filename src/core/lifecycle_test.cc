#include "core/lifecycle.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

TEST(Lifecycle, TimesSurviveTheWayIntoAMessage) {
  for (const std::int64_t nanos : {0ll, 1ll, 1767225600'000000001ll, -1ll}) {
    const base::WallTime time{base::Duration(nanos)};
    EXPECT_EQ(from_timestamp(to_timestamp(time)), time);
    EXPECT_GE(to_timestamp(time).nanos(), 0);
  }
}

TEST(Lifecycle, TheLastFinalizerLetsTheObjectGo) {
  v1::Meta meta;
  add_finalizer(meta, kAgentFinalizer);
  add_finalizer(meta, kAgentFinalizer);
  EXPECT_EQ(meta.finalizers_size(), 1);
  EXPECT_FALSE(is_ready_to_go(meta));
  remove_finalizer(meta, kAgentFinalizer);
  EXPECT_FALSE(is_ready_to_go(meta)) << "nobody asked for deletion";
  mark_deleted(meta, base::WallTime(std::chrono::seconds(5)));
  mark_deleted(meta, base::WallTime(std::chrono::seconds(9)));
  EXPECT_EQ(meta.deleted_at().seconds(), 5) << "the first request counts";
  EXPECT_TRUE(is_ready_to_go(meta));
  remove_finalizer(meta, kAgentFinalizer);
}

}  // namespace
}  // namespace orchion::core
