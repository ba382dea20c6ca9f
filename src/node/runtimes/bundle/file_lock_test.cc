#include "node/runtimes/bundle/file_lock.h"

#include <thread>

#include <gtest/gtest.h>

#include "node/runtimes/conformance/busybox_root.h"

namespace orchion::node::runtimes::bundle {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The kernel tells of a close before it lets the file's lock go: who looks in between is told nothing more.
TEST(FileLock, ALockGivenUpIsTakenAtOnce) {
  const TestFolder folder;
  const auto path = folder.path() / "lock";
  for (int i = 0; i < 1000; ++i) {
    auto held = lock_file(path, seconds(1));
    ASSERT_TRUE(held.has_value());
    std::thread holder([&] {
      std::this_thread::yield();
      held->reset();
    });
    const auto begun = std::chrono::steady_clock::now();
    const auto taken = lock_file(path, seconds(5));
    holder.join();
    ASSERT_TRUE(taken.has_value()) << "round " << i << ": " << taken.error().message;
    ASSERT_LT(std::chrono::steady_clock::now() - begun, seconds(2)) << "round " << i;
  }
}

TEST(FileLock, OneThatIsKeptIsWaitedForNoLongerThanSaid) {
  const TestFolder folder;
  const auto held = lock_file(folder.path() / "lock", seconds(1));
  const auto begun = std::chrono::steady_clock::now();
  const auto taken = lock_file(folder.path() / "lock", milliseconds(120));
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, base::Code::kDeadlineExceeded);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(120));
}

}  // namespace
}  // namespace orchion::node::runtimes::bundle
