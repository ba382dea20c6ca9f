#include "cli/archive_merge.h"

#include <map>
#include <string>
#include <vector>

#include <archive.h>
#include <archive_entry.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::cli {
namespace {

using Files = std::map<std::string, std::string>;
using testing::Pair;
using testing::UnorderedElementsAre;

la_ssize_t on_write(archive*, void* to, const void* data, std::size_t size) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

std::string tar_of(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string bytes;
  auto* writer = archive_write_new();
  archive_write_set_format_pax_restricted(writer);
  archive_write_set_bytes_in_last_block(writer, 1);
  archive_write_open(writer, &bytes, nullptr, on_write, nullptr);
  for (const auto& [name, content] : files) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_write_header(writer, entry);
    archive_write_data(writer, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return bytes;
}

// Every file once; twice is a failure.
Files files_in(const std::string& tar) {
  Files files;
  auto* reader = archive_read_new();
  archive_read_support_format_tar(reader);
  EXPECT_EQ(archive_read_open_memory(reader, tar.data(), tar.size()), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    std::string content(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
    archive_read_data(reader, content.data(), content.size());
    EXPECT_TRUE(files.emplace(archive_entry_pathname(entry), content).second) << archive_entry_pathname(entry);
  }
  archive_read_free(reader);
  return files;
}

std::string merged(const std::vector<std::string>& archives, std::size_t piece) {
  ArchiveMerge merge;
  std::string out;
  for (const auto& archive : archives) {
    for (std::size_t at = 0; at < archive.size(); at += piece) out += merge.pass(archive.substr(at, piece)).value();
    EXPECT_TRUE(merge.end_one());
  }
  return out + merge.finish().value();
}

const std::string kLong(150, 'l');

TEST(ArchiveMerge, HasEveryFileOnceAndTheListsOfAll) {
  const auto one = tar_of({{"oci-layout", "{}"},
                           {"index.json", R"({"schemaVersion":2,"manifests":[{"digest":"a"}]})"},
                           {"blobs/sha256/shared", std::string(3000, 's')},
                           {"blobs/sha256/one", "1"},
                           {kLong, "long"},
                           {"manifest.json", R"([{"Config":"a"}])"}});
  const auto two = tar_of({{"oci-layout", "{}"},
                           {"index.json", R"({"schemaVersion":2,"manifests":[{"digest":"b"}]})"},
                           {"blobs/sha256/shared", std::string(3000, 's')},
                           {"blobs/sha256/two", "22"},
                           {kLong, "long"},
                           {"manifest.json", R"([{"Config":"b"}])"},
                           {"repositories", "{}"}});
  for (const std::size_t piece : {std::size_t{1}, std::size_t{700}, one.size()}) {
    EXPECT_THAT(
        files_in(merged({one, two}, piece)),
        UnorderedElementsAre(Pair("oci-layout", "{}"), Pair("blobs/sha256/shared", std::string(3000, 's')),
                             Pair("blobs/sha256/one", "1"), Pair("blobs/sha256/two", "22"), Pair(kLong, "long"),
                             Pair("index.json", R"({"schemaVersion":2,"manifests":[{"digest":"a"},{"digest":"b"}]})"),
                             Pair("manifest.json", R"([{"Config":"a"},{"Config":"b"}])")));
  }
}

TEST(ArchiveMerge, WhatWasCutOffIsNoArchive) {
  const auto whole = tar_of({{"a", "1"}});
  ArchiveMerge merge;
  ASSERT_TRUE(merge.pass(whole.substr(0, 700)));
  EXPECT_EQ(merge.end_one().error().code, base::Code::kDataLoss);
  ArchiveMerge other;
  EXPECT_EQ(other.pass(std::string(512, 'x')).error().code, base::Code::kDataLoss);
}

}  // namespace
}  // namespace orchion::cli
