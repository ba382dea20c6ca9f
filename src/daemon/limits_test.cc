#include "daemon/limits.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace orchion::daemon {
namespace {

constexpr const char* kDays = "ORCHION_IMAGES_UNUSED_DAYS";
constexpr const char* kHigh = "ORCHION_IMAGES_DISK_HIGH";
constexpr const char* kLow = "ORCHION_IMAGES_DISK_LOW";

class ImageLimitsTest : public testing::Test {
 protected:
  ImageLimitsTest() { clear(); }
  ~ImageLimitsTest() override { clear(); }

  static void clear() {
    for (const char* name : {kDays, kHigh, kLow}) ::unsetenv(name);
  }
};

TEST_F(ImageLimitsTest, HaveDefaults) {
  const auto limits = read_image_limits().value();
  EXPECT_EQ(limits.unused_max, std::chrono::days(30));
  EXPECT_EQ(limits.disk_high_percent, 85);
  EXPECT_EQ(limits.disk_low_percent, 75);
}

TEST_F(ImageLimitsTest, AreTakenFromTheEnvironment) {
  ::setenv(kDays, "0", 1);
  ::setenv(kHigh, "60", 1);
  EXPECT_EQ(read_image_limits().value().unused_max, base::Duration::zero());
  EXPECT_EQ(read_image_limits().value().disk_low_percent, 50);
  ::setenv(kLow, "20", 1);
  EXPECT_EQ(read_image_limits().value().disk_low_percent, 20);
}

TEST_F(ImageLimitsTest, SayWhichIsWrong) {
  for (const char* value : {"-1", "x", "5 days", "101"}) {
    ::setenv(kHigh, value, 1);
    const auto limits = read_image_limits();
    ASSERT_FALSE(limits.has_value()) << value;
    EXPECT_EQ(limits.error().message, std::string(kHigh) + " is " + value + ": give it a whole number from 0 to 100");
  }
  ::setenv(kHigh, "50", 1);
  ::setenv(kLow, "60", 1);
  EXPECT_EQ(read_image_limits().error().message,
            "ORCHION_IMAGES_DISK_LOW is 60 and ORCHION_IMAGES_DISK_HIGH 50: make the first the smaller one");
}

TEST(LogLimits, AreTakenFromTheEnvironment) {
  EXPECT_EQ(read_log_limits().value().keep_for, std::chrono::days(7));
  EXPECT_EQ(read_log_limits().value().bytes_max, 1 << 30);
  ::setenv("ORCHION_KEEP_LOGS_DAYS", "0", 1);
  ::setenv("ORCHION_KEEP_LOGS_MIB", "5", 1);
  EXPECT_EQ(read_log_limits().value().keep_for, base::Duration::zero());
  EXPECT_EQ(read_log_limits().value().bytes_max, 5 << 20);
  ::setenv("ORCHION_KEEP_LOGS_MIB", "much", 1);
  EXPECT_FALSE(read_log_limits().has_value());
  ::unsetenv("ORCHION_KEEP_LOGS_DAYS");
  ::unsetenv("ORCHION_KEEP_LOGS_MIB");
}

}  // namespace
}  // namespace orchion::daemon
