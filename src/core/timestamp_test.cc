#include "core/timestamp.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

TEST(Timestamp, IsReadAsRfc3339) {
  using std::chrono::nanoseconds;
  const auto at = [](std::string_view text) { return parse_timestamp(text).value().time_since_epoch(); };
  EXPECT_EQ(at("1970-01-01T00:00:01Z"), nanoseconds(1'000'000'000));
  EXPECT_EQ(at("1970-01-01T00:00:00.123456789Z"), nanoseconds(123'456'789));
  EXPECT_EQ(at("1970-01-01T01:30:00+01:30"), nanoseconds(0));
  for (const char* bad : {"", "yesterday", "0001-01-01T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00",
                          "2024-01-01T00:00:00+1"})
    EXPECT_FALSE(parse_timestamp(bad).has_value()) << bad;
}

}  // namespace
}  // namespace orchion::core
