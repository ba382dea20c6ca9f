#include "core/quantities.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kGiB = 1 << 30;

TEST(Quantities, BytesAsPeopleWriteThem) {
  const struct {
    const char* text;
    std::int64_t bytes;
  } cases[] = {
      {"1024", 1024},     {"512m", 512 * kMiB}, {"512M", 512 * kMiB},   {"512mb", 512 * kMiB},
      {"4GiB", 4 * kGiB}, {"4 gib", 4 * kGiB},  {"1.5g", kGiB * 3 / 2}, {"100k", 102400},
      {"0", 0},           {"10b", 10},          {"2t", 2048 * kGiB},    {".5k", 512},
      {"0.1k", 102},
  };
  for (const auto& c : cases) {
    auto bytes = parse_bytes(c.text);
    ASSERT_TRUE(bytes) << c.text;
    EXPECT_EQ(*bytes, c.bytes) << c.text;
  }
}

TEST(Quantities, WhatIsNoAmountSaysHowToWriteOne) {
  for (const char* bad : {"", "m", "-1", "1x", "1kk", "1.2.3", "99999999999999999999", "9999999999t", "1 m b", "1ibm"})
    EXPECT_FALSE(parse_bytes(bad)) << bad;
  for (const char* bad : {"", "-1", "1x", "1.0000000001", "99999999", ".", "1,5"}) EXPECT_FALSE(parse_cpus(bad)) << bad;
  EXPECT_NE(parse_bytes("lots").error().message.find("512m"), std::string::npos);
}

TEST(Quantities, CpusAreExact) {
  EXPECT_EQ(*parse_cpus("1.5"), 1'500'000'000);
  EXPECT_EQ(*parse_cpus("0.1"), 100'000'000);
  EXPECT_EQ(*parse_cpus(".25"), 250'000'000);
  EXPECT_EQ(*parse_cpus("2"), 2'000'000'000);
  for (const char* text : {"1.5", "0.25", "2", "0", "0.000000001", "16"})
    EXPECT_EQ(format_cpus(*parse_cpus(text)), text);
}

TEST(Quantities, BytesAsPeopleReadThem) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1 KiB");
  EXPECT_EQ(format_bytes(512 * kMiB), "512 MiB");
  EXPECT_EQ(format_bytes(4 * kGiB), "4 GiB");
  EXPECT_EQ(format_bytes(kGiB + kGiB / 4), "1.2 GiB");
  EXPECT_EQ(format_bytes(5000 * 1024 * kGiB), "5000 TiB");
}

TEST(Quantities, WhatIsFreeStandsInTheUnitOfTheNeed) {
  EXPECT_EQ(format_need_bytes(4 * kGiB, kGiB + kGiB / 4), "need 4 GiB, free 1.2");
  EXPECT_EQ(format_need_bytes(512 * kMiB, 0), "need 512 MiB, free 0");
  // Just below what is needed must not read as if it were enough.
  EXPECT_EQ(format_need_bytes(4 * kGiB, 4 * kGiB - 1), "need 4 GiB, free 3.9");
  EXPECT_EQ(format_need_bytes(512 * kMiB, -kGiB), "need 512 MiB, free 0");
}

}  // namespace
}  // namespace orchion::core
