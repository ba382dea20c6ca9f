#pragma once

// A segment that nobody writes any more: the same records in compressed blocks, with what a reader asks about a block
// before it unpacks it. Little-endian: kSealedMagic, the blocks (zstd frames with checksums), their grams, a BlockEntry
// for each, a SealedFooter.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "node/logs/segment.h"

namespace orchion::node::logs {

struct [[gnu::packed]] BlockEntry {
  std::uint64_t offset = 0;
  std::uint32_t packed_bytes = 0;
  std::uint32_t bytes = 0;
  std::int64_t first_ns = 0;  // the earliest time of its records
  std::int64_t last_ns = 0;   // and the latest
  std::uint64_t grams_offset = 0;
  std::uint32_t grams_bytes = 0;  // 0: they tell nothing
  std::uint32_t whole_lines = 0;  // 1: no line reaches into it or out of it
};
static_assert(sizeof(BlockEntry) == 48);

struct [[gnu::packed]] SealedFooter {
  std::uint64_t entries_offset = 0;
  std::uint32_t blocks = 0;
  std::uint32_t magic = kSealedMagic;
};
static_assert(sizeof(SealedFooter) == 16);

// May lines that are wanted be in this block? `grams` as may_contain takes them.
using BlockChoice = std::function<bool(const BlockEntry& entry, std::string_view grams)>;

// Reads a sealed segment. Trusts no number in it. Blocks.
class SealedSegment {
 public:
  static base::Result<bool> is_sealed(int file);
  // kDataLoss: it is damaged.
  static base::Result<SealedSegment> open(base::UniqueFd file);

  const std::vector<BlockEntry>& blocks() const { return blocks_; }

  // The records of the next block that `choice` (empty: all) lets pass, added to `records`. False: there is none.
  base::Result<bool> read_next(const BlockChoice& choice, std::string& records);

 private:
  SealedSegment(base::UniqueFd file, std::vector<BlockEntry> blocks)
      : file_(std::move(file)), blocks_(std::move(blocks)) {}
  base::Result<bool> is_wanted(const BlockEntry& entry, const BlockChoice& choice) const;

  base::UniqueFd file_;
  std::vector<BlockEntry> blocks_;
  std::size_t next_ = 0;
};

// Replaces the segment by its sealed form, which is on the disk before it has the name; who reads the old one goes on
// reading it. A segment that is sealed already, or gone, is no error. Takes about 8 ms of processor for a segment of
// 1 MiB. Blocks.
base::Result<> seal_segment(const std::filesystem::path& folder, std::uint64_t number);

}  // namespace orchion::node::logs
