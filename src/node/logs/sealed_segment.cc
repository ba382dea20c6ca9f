#include "node/logs/sealed_segment.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

namespace orchion::node::logs {

namespace {

using base::Result;

constexpr std::uint32_t kBlockBytesMax = 4u << 20;  // unpacked; what is written is far smaller
constexpr std::uint32_t kBlocksMax = 1u << 16;
constexpr std::uint32_t kGramsBytesMax = 1u << 16;

std::unexpected<base::Error> damaged() {
  return base::fail(base::Code::kDataLoss, "captured output is damaged on the disk");
}

Result<> read_at(int file, std::uint64_t offset, void* data, std::size_t bytes) {
  const auto n = ::pread(file, data, bytes, static_cast<off_t>(offset));
  if (n < 0) return base::fail_errno(errno, "cannot read captured output");
  if (static_cast<std::size_t>(n) != bytes) return damaged();
  return {};
}

}  // namespace

Result<bool> SealedSegment::is_sealed(int file) {
  std::uint32_t magic = 0;
  const auto n = ::pread(file, &magic, sizeof magic, 0);
  if (n < 0) return base::fail_errno(errno, "cannot read captured output");
  return n == sizeof magic && magic == kSealedMagic;
}

Result<SealedSegment> SealedSegment::open(base::UniqueFd file) {
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return base::fail_errno(errno, "cannot read captured output");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  SealedFooter footer;
  if (size < sizeof footer) return damaged();
  RETURN_IF_ERROR(read_at(file.get(), size - sizeof footer, &footer, sizeof footer));
  const auto entries_bytes = std::uint64_t{footer.blocks} * sizeof(BlockEntry);
  if (footer.magic != kSealedMagic || footer.blocks > kBlocksMax || footer.entries_offset > size ||
      footer.entries_offset + entries_bytes + sizeof footer != size)
    return damaged();
  std::vector<BlockEntry> blocks(footer.blocks);
  RETURN_IF_ERROR(read_at(file.get(), footer.entries_offset, blocks.data(), entries_bytes));
  return SealedSegment(std::move(file), std::move(blocks));
}

Result<bool> SealedSegment::is_wanted(const BlockEntry& entry, const BlockChoice& choice) const {
  // What lies in several blocks is told by none of them alone.
  if (!choice || entry.whole_lines == 0) return true;
  if (entry.grams_bytes > kGramsBytesMax) return damaged();
  std::string grams(entry.grams_bytes, '\0');
  RETURN_IF_ERROR(read_at(file_.get(), entry.grams_offset, grams.data(), grams.size()));
  return choice(entry, grams);
}

Result<bool> SealedSegment::read_next(const BlockChoice& choice, std::string& records) {
  for (; next_ < blocks_.size(); ++next_) {
    const auto& entry = blocks_[next_];
    ASSIGN_OR_RETURN(const bool wanted, is_wanted(entry, choice));
    if (!wanted) continue;
    if (entry.bytes > kBlockBytesMax || entry.packed_bytes > kBlockBytesMax) return damaged();
    std::string packed(entry.packed_bytes, '\0');
    RETURN_IF_ERROR(read_at(file_.get(), entry.offset, packed.data(), packed.size()));
    const auto before = records.size();
    records.resize(before + entry.bytes);
    const auto n = ::ZSTD_decompress(records.data() + before, entry.bytes, packed.data(), packed.size());
    if (::ZSTD_isError(n) != 0 || n != entry.bytes) return damaged();
    ++next_;
    return true;
  }
  return false;
}

}  // namespace orchion::node::logs
