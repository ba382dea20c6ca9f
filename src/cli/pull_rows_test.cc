#include "cli/pull_rows.h"

#include <gtest/gtest.h>

namespace orchion::cli {
namespace {

using std::chrono::milliseconds;

v1::PullProgress progress(const std::string& reference, const std::string& node, std::uint64_t done,
                          std::uint64_t total) {
  v1::PullProgress message;
  message.set_reference(reference);
  message.set_node(node);
  message.set_done_bytes(done);
  message.set_total_bytes(total);
  return message;
}

TEST(PullRows, SayHowMuchOfAnImageIsThereAndHowFastItComes) {
  PullRows rows;
  const base::Time begin;
  EXPECT_EQ(rows.text("nginx:1", ""), "");
  rows.put(progress("docker.io/library/nginx:1", "a", 0, 0), begin);
  EXPECT_EQ(rows.text("nginx:1", "a"), "pulling") << "its size isn't known yet";
  rows.put(progress("docker.io/library/nginx:1", "a", 0, 45'000'000), begin + milliseconds(200));
  EXPECT_EQ(rows.text("nginx:1", "a"), "pulling 0.0 of 45.0 MB");
  rows.put(progress("docker.io/library/nginx:1", "a", 12'300'000, 45'000'000), begin + milliseconds(1200));
  EXPECT_EQ(rows.text("nginx:1", "a"), "pulling 12.3 of 45.0 MB  12.3 MB/s");
  EXPECT_EQ(rows.text("docker.io/library/nginx@sha256:" + std::string(64, 'a'), "a"),
            "pulling 12.3 of 45.0 MB  12.3 MB/s");
  EXPECT_EQ(rows.text("nginx:1", "b"), "");
  EXPECT_EQ(rows.text("redis", "a"), "");
}

TEST(PullRows, AddUpWhatAllNodesAreAt) {
  PullRows rows;
  rows.put(progress("docker.io/library/nginx:1", "a", 1'000'000, 2'000'000), {});
  rows.put(progress("docker.io/library/nginx:1", "b", 500'000, 2'000'000), {});
  EXPECT_EQ(rows.text("nginx", ""), "pulling 1.5 of 4.0 MB");
  auto ended = progress("docker.io/library/nginx:1", "a", 2'000'000, 2'000'000);
  ended.set_ended(true);
  rows.put(ended, {});
  EXPECT_EQ(rows.text("nginx", ""), "pulling 0.5 of 2.0 MB");
}

TEST(PullRows, ADownloadThatBeginsAnewHasNoRateBelowZero) {
  PullRows rows;
  const base::Time begin;
  rows.put(progress("a:1", "n", 5'000'000, 9'000'000), begin);
  rows.put(progress("a:1", "n", 1'000'000, 9'000'000), begin + milliseconds(200));
  EXPECT_EQ(rows.text("a:1", "n"), "pulling 1.0 of 9.0 MB");
}

}  // namespace
}  // namespace orchion::cli
