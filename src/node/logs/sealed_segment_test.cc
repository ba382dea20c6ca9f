#include "node/logs/sealed_segment.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "node/logs/line_filter.h"
#include "node/logs/segment_file.h"
#include "node/logs/segment_writer.h"

namespace orchion::node::logs {
namespace {

using Texts = std::vector<std::string>;

base::WallTime at(std::int64_t ns) {
  return base::WallTime(base::Duration(ns));
}

class SealedSegmentTest : public testing::Test {
 protected:
  SealedSegmentTest() { std::filesystem::create_directories(folder_); }
  ~SealedSegmentTest() override { (void)base::remove_tree(folder_); }

  SegmentWriter writer() {
    auto opened = SegmentWriter::open(folder_, {.segment_bytes = 64 << 20});
    if (!opened) throw std::runtime_error(opened.error().message);
    return *std::move(opened);
  }

  void seal() {
    const auto sealed = seal_segment(folder_, 1);
    ASSERT_TRUE(sealed.has_value()) << sealed.error().message;
  }

  // Each stream's bytes with their times, whatever the records they come in.
  std::vector<std::pair<std::int64_t, std::string>> bytes_of(OutputStream stream) {
    auto segment = SegmentFile::open(folder_, 1).value();
    std::vector<std::pair<std::int64_t, std::string>> result;
    while (segment.fill().value()) {
      while (const auto record = segment.next()) {
        if (record->header.stream != stream) continue;
        if (result.empty() || result.back().first != record->header.time_ns)
          result.emplace_back(std::int64_t{record->header.time_ns}, "");
        result.back().second += record->payload;
      }
    }
    return result;
  }

  Texts matching(const LineChoice& lines, std::size_t* blocks_read = nullptr) {
    const auto filter = LineFilter::make(lines).value();
    auto segment = SegmentFile::open(folder_, 1).value();
    Texts result;
    LineAssembler assembler;
    const auto keep = [&](const LineView& line) {
      if (filter.accepts(line)) result.emplace_back(line.text);
    };
    std::size_t chunks = 0;
    const auto choice = [&](const BlockEntry& entry, std::string_view grams) { return filter.may_be_in(entry, grams); };
    while (segment.fill(choice).value()) {
      ++chunks;
      while (const auto record = segment.next()) assembler.add(*record, keep);
    }
    assembler.flush(keep);
    if (blocks_read != nullptr) *blocks_read = chunks;
    return result;
  }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("orchion-sealed-" + base::Random::from_system().text(10));
};

// What comes from a busy pipe: pieces cut anywhere, now and then something on standard error.
void write_requests(SegmentWriter& out, int lines) {
  base::Random random(5);
  std::string pending;
  for (int i = 0; i < lines; ++i) {
    pending += "request " + std::to_string(i) + " id=" + random.text(16) + "\n";
    if (pending.size() > 3000) {
      const auto cut = 1 + random.below(pending.size());
      ASSERT_TRUE(out.append(OutputStream::kOut, pending.substr(0, cut), at(i), 1).has_value());
      pending.erase(0, cut);
    }
    if (i % 5000 == 4999) {
      ASSERT_TRUE(out.append(OutputStream::kError, "warning at " + std::to_string(i) + "\n", at(i), 1).has_value());
    }
  }
  ASSERT_TRUE(out.append(OutputStream::kOut, pending, at(lines), 1).has_value());
}

TEST_F(SealedSegmentTest, HoldsTheSameBytesInAFractionOfTheSpace) {
  auto out = writer();
  write_requests(out, 50'000);
  ASSERT_TRUE(out.append(OutputStream::kOut, std::string("\0\xff\r\n unfinished", 15), at(99'999), 2).has_value());
  const auto path = segment_path(folder_, 1);
  const auto before = std::filesystem::file_size(path);
  const auto out_before = bytes_of(OutputStream::kOut);
  const auto error_before = bytes_of(OutputStream::kError);
  const auto lines_before = matching({});
  seal();
  EXPECT_TRUE(SegmentFile::open(folder_, 1).value().is_sealed());
  EXPECT_LT(std::filesystem::file_size(path), before * 2 / 3);
  EXPECT_EQ(bytes_of(OutputStream::kOut), out_before);
  EXPECT_EQ(bytes_of(OutputStream::kError), error_before);
  EXPECT_EQ(matching({}), lines_before);
  seal();
  EXPECT_EQ(bytes_of(OutputStream::kOut), out_before) << "what is sealed stays as it is";
}

TEST_F(SealedSegmentTest, ASearchFindsTheSameWithoutReadingAll) {
  auto out = writer();
  write_requests(out, 50'000);
  const std::vector<std::string> patterns = {
      "request 123 ",      "request 4999[0-9] ", "warning",     "(?i)WARNING AT 9999$",
      "nothing like this", "^request .*zz",      "id=(a|b)cde", "."};
  std::vector<Texts> expected;
  for (const auto& pattern : patterns) expected.push_back(matching({.grep = pattern}));
  std::size_t all = 0;
  seal();
  for (std::size_t i = 0; i < patterns.size(); ++i)
    EXPECT_EQ(matching({.grep = patterns[i]}, &all), expected[i]) << patterns[i];
  ASSERT_GE(all, 6u) << "'.' is everywhere";
  std::size_t read = 0;
  EXPECT_EQ(matching({.grep = "request 123 "}, &read).size(), 1u);
  EXPECT_LE(read, 2u);
  EXPECT_EQ(matching({.grep = "request 123 id=", .fixed = true}, &read).size(), 1u);
  EXPECT_LE(read, 2u);
  EXPECT_TRUE(matching({.grep = "[.*", .fixed = true}).empty());
  EXPECT_TRUE(matching({.grep = "nothing like this"}, &read).empty());
  EXPECT_EQ(read, 0u);
  EXPECT_EQ(matching({.since = at(49'990)}, &read).size() > 0, true);
  EXPECT_LE(read, 2u);
}

TEST_F(SealedSegmentTest, LinesLongerThanABlockAreFoundWhole) {
  auto out = writer();
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(
        out.append(OutputStream::kOut, std::string(60'000, 'x') + "needle" + std::to_string(i), at(i), 1).has_value());
  ASSERT_TRUE(out.append(OutputStream::kOut, "\nshort\n", at(99), 1).has_value());
  const auto expected = matching({.grep = "needle39"});
  ASSERT_EQ(expected.size(), 1u);
  const auto all = matching({});
  seal();
  EXPECT_EQ(matching({.grep = "needle39"}), expected);
  EXPECT_EQ(matching({}), all);
}

TEST_F(SealedSegmentTest, AnEmptySegmentIsSealedToo) {
  (void)writer();
  seal();
  EXPECT_TRUE(matching({}).empty());
  EXPECT_TRUE(seal_segment(folder_, 7).has_value()) << "what is gone is no error";
}

TEST_F(SealedSegmentTest, DamageIsSaidAndNeverTrusted) {
  auto out = writer();
  write_requests(out, 5000);
  seal();
  const auto path = segment_path(folder_, 1);
  const auto good = base::read_file(path).value();
  base::Random random(9);
  for (int round = 0; round < 400; ++round) {
    auto bad = good;
    // The end, with the numbers, more often than the middle.
    const auto reach = random.below(2) == 0 ? bad.size() - 4 : std::size_t{200};
    for (int i = 0; i < 3; ++i) bad[bad.size() - 1 - random.below(reach)] ^= static_cast<char>(1 + random.below(255));
    if (random.below(4) == 0) bad.resize(4 + random.below(bad.size() - 4));
    ASSERT_TRUE(base::write_file(path, bad).has_value());
    auto segment = SegmentFile::open(folder_, 1);
    for (bool more = segment.has_value(); more;) {
      const auto filled = segment->fill();
      more = filled && *filled;
      if (!filled) {
        EXPECT_EQ(filled.error().code, base::Code::kDataLoss);
      }
      while (segment->next()) {
      }
    }
  }
}

}  // namespace
}  // namespace orchion::node::logs
