#include "node/images/fetch_attempts.h"

#include <gtest/gtest.h>

namespace orchion::node::images {
namespace {

using std::chrono::seconds;

TEST(FetchAttempts, GivesUpAfterSomeThatBroughtNothing) {
  FetchAttempts attempts({.fruitless_attempts_max = 4});
  EXPECT_EQ(attempts.after_failure(0), seconds(1));
  EXPECT_EQ(attempts.after_failure(0), seconds(2));
  EXPECT_EQ(attempts.after_failure(0), seconds(4));
  EXPECT_EQ(attempts.after_failure(0), std::nullopt);
}

TEST(FetchAttempts, ALayerStartsTheCountAnew) {
  FetchAttempts attempts({.fruitless_attempts_max = 2});
  EXPECT_EQ(attempts.after_failure(0), seconds(1));
  EXPECT_EQ(attempts.after_failure(1), seconds(1));
  EXPECT_EQ(attempts.after_failure(1), seconds(1));
  EXPECT_EQ(attempts.after_failure(3), seconds(1));
  EXPECT_EQ(attempts.after_failure(3), seconds(1));
  EXPECT_EQ(attempts.after_failure(3), std::nullopt);
  EXPECT_EQ(attempts.fruitless(), 2);
}

}  // namespace
}  // namespace orchion::node::images
