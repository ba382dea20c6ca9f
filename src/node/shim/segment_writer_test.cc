#include "node/shim/segment_writer.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

namespace orchion::node::shim {
namespace {

using logs::OutputStream;

class SegmentWriterTest : public testing::Test {
 protected:
  SegmentWriterTest() {
    char folder[] = "/tmp/orchion-segments-XXXXXX";
    folder_ = ::mkdtemp(folder);
  }
  ~SegmentWriterTest() override { std::filesystem::remove_all(folder_); }

  std::vector<std::filesystem::path> segments() const {
    std::vector<std::filesystem::path> result;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) result.push_back(entry.path());
    std::sort(result.begin(), result.end());
    return result;
  }

  static std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // The payloads of every whole record; fails the test on anything that isn't one.
  std::vector<std::string> payloads() const {
    std::vector<std::string> result;
    for (const auto& segment : segments()) {
      const auto text = content(segment);
      std::size_t at = 0;
      while (at < text.size()) {
        logs::RecordHeader header;
        EXPECT_LE(at + sizeof header, text.size());
        std::memcpy(&header, text.data() + at, sizeof header);
        EXPECT_EQ(std::uint32_t{header.magic}, logs::kRecordMagic);
        result.push_back(text.substr(at + sizeof header, header.length));
        at += sizeof header + header.length;
      }
    }
    return result;
  }

  std::filesystem::path folder_;
};

TEST_F(SegmentWriterTest, WritesRecordsAsLaidDown) {
  SegmentWriter writer;
  ASSERT_EQ(writer.open(folder_.c_str(), 1 << 20), 0);
  ASSERT_TRUE(writer.append(OutputStream::kError, 7, 123456789, "hello"));
  ASSERT_EQ(segments().size(), 1u);
  EXPECT_EQ(segments()[0].filename(), "00000001.log");
  const auto text = content(segments()[0]);
  logs::RecordHeader header;
  ASSERT_EQ(text.size(), sizeof header + 5);
  std::memcpy(&header, text.data(), sizeof header);
  EXPECT_EQ(std::uint32_t{header.length}, 5u);
  EXPECT_EQ(std::int64_t{header.time_ns}, 123456789);
  EXPECT_EQ(header.stream, OutputStream::kError);
  EXPECT_EQ(std::uint16_t{header.attempt}, 7);
}

TEST_F(SegmentWriterTest, TheOldestSegmentGoesWhenTheCapIsReached) {
  SegmentWriter writer;
  ASSERT_EQ(writer.open(folder_.c_str(), 100'000), 0);
  for (int i = 0; i < 3000; ++i)
    ASSERT_TRUE(writer.append(OutputStream::kOut, 1, i, std::string(100, 'x') + std::to_string(i)));
  std::uintmax_t total = 0;
  for (const auto& segment : segments()) total += std::filesystem::file_size(segment);
  EXPECT_LE(total, 100'000u);
  EXPECT_GT(total, 40'000u);
  const auto kept = payloads();
  ASSERT_FALSE(kept.empty());
  EXPECT_EQ(kept.back(), std::string(100, 'x') + "2999");
  // What is kept is without a gap.
  const int first = std::stoi(kept.front().substr(100));
  EXPECT_EQ(static_cast<int>(kept.size()), 3000 - first);
}

TEST_F(SegmentWriterTest, ANextWriterGoesOnWhereTheLastEnded) {
  for (const char* text : {"one", "two"}) {
    SegmentWriter writer;
    ASSERT_EQ(writer.open(folder_.c_str(), 1 << 20), 0);
    ASSERT_TRUE(writer.append(OutputStream::kOut, 1, 0, text));
  }
  EXPECT_EQ(segments().size(), 1u);
  EXPECT_EQ(payloads(), (std::vector<std::string>{"one", "two"}));
}

TEST_F(SegmentWriterTest, HalfARecordIsCutOff) {
  {
    SegmentWriter writer;
    ASSERT_EQ(writer.open(folder_.c_str(), 1 << 20), 0);
    ASSERT_TRUE(writer.append(OutputStream::kOut, 1, 0, "whole"));
    ASSERT_TRUE(writer.append(OutputStream::kOut, 1, 0, "to be cut"));
  }
  std::filesystem::resize_file(segments()[0], std::filesystem::file_size(segments()[0]) - 3);
  SegmentWriter writer;
  ASSERT_EQ(writer.open(folder_.c_str(), 1 << 20), 0);
  ASSERT_TRUE(writer.append(OutputStream::kOut, 2, 0, "next"));
  EXPECT_EQ(payloads(), (std::vector<std::string>{"whole", "next"}));
}

TEST_F(SegmentWriterTest, SegmentsEndWithLinesWhereTheyCan) {
  SegmentWriter writer;
  ASSERT_EQ(writer.open(folder_.c_str(), 40'000), 0);
  std::string all;
  for (int i = 0; i < 500; ++i) {
    const auto piece = std::to_string(i) + " of a line\nand the beginning of ";
    ASSERT_TRUE(writer.append(OutputStream::kOut, 1, i, piece));
    all += piece;
  }
  ASSERT_TRUE(writer.append(OutputStream::kOut, 1, 500, "the end\n"));
  all += "the end\n";
  ASSERT_GE(segments().size(), 2u);
  std::string joined;
  for (const auto& payload : payloads()) joined += payload;
  EXPECT_TRUE(all.ends_with(joined));
  for (const auto& segment : segments()) EXPECT_EQ(content(segment).back(), '\n') << segment;
}

TEST_F(SegmentWriterTest, ASmallCapLeavesTheNewestOfLargePayloads) {
  SegmentWriter writer;
  ASSERT_EQ(writer.open(folder_.c_str(), 100'000), 0);
  for (int i = 0; i < 50; ++i) {
    std::string payload;
    while (payload.size() < 60'000) payload += "line " + std::to_string(i) + "\n";
    // Cut within a line now and then.
    const auto cut = i % 3 == 0 ? payload.size() - 3 : payload.size();
    ASSERT_TRUE(writer.append(OutputStream::kOut, 1, i, payload.substr(0, cut)));
    if (cut < payload.size()) {
      ASSERT_TRUE(writer.append(OutputStream::kOut, 1, i, payload.substr(cut) + payload));
    }
    std::size_t kept = 0;
    for (const auto& one : payloads()) kept += one.size();
    if (i > 2) {
      EXPECT_GT(kept, 25'000u) << i;
    }
    EXPECT_TRUE(payloads().back().ends_with("line " + std::to_string(i) + "\n"));
  }
}

TEST_F(SegmentWriterTest, ASealedSegmentIsLeftAsItIs) {
  const std::string sealed = "ROZ1 whatever it holds";
  std::ofstream(folder_ / "00000001.log") << sealed;
  SegmentWriter writer;
  ASSERT_EQ(writer.open(folder_.c_str(), 1 << 20), 0);
  ASSERT_TRUE(writer.append(OutputStream::kOut, 1, 0, "next"));
  ASSERT_EQ(segments().size(), 2u);
  EXPECT_EQ(content(segments()[0]), sealed);
}

TEST_F(SegmentWriterTest, WhatWasMadeSmallerMeanwhileMakesRoom) {
  SegmentWriter writer;
  ASSERT_EQ(writer.open(folder_.c_str(), 4 << 20), 0);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(writer.append(OutputStream::kOut, 1, i, std::string(60'000, 'x')));
    auto present = segments();
    present.pop_back();
    for (const auto& segment : present) std::filesystem::resize_file(segment, 1000);
  }
  EXPECT_GE(segments().size(), 10u) << "a tenth of it was dropped as if it were all there";
}

// A full disk: the oldest goes, whole records stay, and nothing blocks.
TEST_F(SegmentWriterTest, AFullDiskCostsTheOldestFirst) {
  ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=3m"), 0) << "needs root";
  {
    SegmentWriter writer;
    ASSERT_EQ(writer.open(folder_.c_str(), 64 << 20), 0);
    for (int i = 0; i < 200; ++i)
      ASSERT_TRUE(writer.append(OutputStream::kOut, 1, i, std::string(60'000, 'x') + std::to_string(i)));
    const auto kept = payloads();
    EXPECT_EQ(kept.back(), std::string(60'000, 'x') + "199");
    EXPECT_GT(kept.size(), 10u);
    for (std::size_t i = 1; i < kept.size(); ++i)
      EXPECT_EQ(std::stoi(kept[i].substr(60'000)), std::stoi(kept[i - 1].substr(60'000)) + 1);
  }
  EXPECT_EQ(::umount2(folder_.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace orchion::node::shim
