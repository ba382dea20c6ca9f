// seal_segment: a segment's records, regrouped into blocks that begin and end with lines where that can be.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>
#include <zstd.h>

#include "node/logs/gram_filter.h"
#include "node/logs/sealed_segment.h"
#include "node/logs/segment_file.h"

namespace orchion::node::logs {

namespace {

using base::Result;

constexpr std::size_t kBlockBytes = 256u << 10;
constexpr std::size_t kBlockBytesMax = 512u << 10;  // beyond, a block ends within a line
constexpr int kLevel = 3;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ::ZSTD_freeCCtx(context); }
};

// The sealed form in memory: a segment is small.
class Sealer {
 public:
  Sealer() : context_(::ZSTD_createCCtx()) {
    ::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel);
    ::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
    const auto magic = kSealedMagic;
    append(&magic, sizeof magic);
  }

  // A record that ends within a line is cut after its last whole one where a block could end there.
  Result<> add(const Record& record) {
    auto payload = record.payload;
    auto header = record.header;
    const auto end = payload.rfind('\n');
    if (is_full() && end != std::string_view::npos && end + 1 < payload.size() && !is_open(other(header.stream))) {
      add_piece(header, payload.substr(0, end + 1));
      RETURN_IF_ERROR(finish_block());
      payload.remove_prefix(end + 1);
      header.continues = 0;
    }
    add_piece(header, payload);
    const bool between_lines = !open_[0] && !open_[1];
    if ((is_full() && between_lines) || records_.size() >= kBlockBytesMax) return finish_block();
    return {};
  }

  Result<std::string> finish() {
    RETURN_IF_ERROR(finish_block());
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      entries_[i].grams_offset = bytes_.size();
      entries_[i].grams_bytes = static_cast<std::uint32_t>(grams_[i].size());
      bytes_ += grams_[i];
    }
    SealedFooter footer;
    footer.entries_offset = bytes_.size();
    footer.blocks = static_cast<std::uint32_t>(entries_.size());
    append(entries_.data(), entries_.size() * sizeof(BlockEntry));
    append(&footer, sizeof footer);
    return std::move(bytes_);
  }

 private:
  static OutputStream other(OutputStream stream) {
    return stream == OutputStream::kOut ? OutputStream::kError : OutputStream::kOut;
  }
  bool is_open(OutputStream stream) const { return open_[stream == OutputStream::kError ? 1 : 0]; }
  bool is_full() const { return records_.size() >= kBlockBytes; }
  void append(const void* data, std::size_t bytes) { bytes_.append(static_cast<const char*>(data), bytes); }

  void add_piece(RecordHeader header, std::string_view payload) {
    header.length = static_cast<std::uint32_t>(payload.size());
    // What another attempt left unfinished is a line.
    if (header.attempt != attempt_) open_[0] = open_[1] = false;
    attempt_ = header.attempt;
    if (records_.empty()) {
      entry_ = {};
      entry_.first_ns = entry_.last_ns = header.time_ns;
      entry_.whole_lines = !open_[0] && !open_[1] ? 1 : 0;
    }
    if (header.continues != 0 && !is_open(header.stream)) entry_.whole_lines = 0;
    entry_.first_ns = std::min<std::int64_t>(entry_.first_ns, header.time_ns);
    entry_.last_ns = std::max<std::int64_t>(entry_.last_ns, header.time_ns);
    collector_.add(header.stream, payload);
    records_.append(reinterpret_cast<const char*>(&header), sizeof header);
    records_.append(payload);
    open_[header.stream == OutputStream::kError ? 1 : 0] = !payload.ends_with('\n');
  }

  Result<> finish_block() {
    if (records_.empty()) return {};
    std::string packed(::ZSTD_compressBound(records_.size()), '\0');
    const auto n = ::ZSTD_compress2(context_.get(), packed.data(), packed.size(), records_.data(), records_.size());
    if (::ZSTD_isError(n) != 0)
      return base::fail(base::Code::kInternal,
                        fmt::format("cannot compress captured output: {}", ::ZSTD_getErrorName(n)));
    if (open_[0] || open_[1]) entry_.whole_lines = 0;
    entry_.offset = bytes_.size();
    entry_.packed_bytes = static_cast<std::uint32_t>(n);
    entry_.bytes = static_cast<std::uint32_t>(records_.size());
    bytes_.append(packed.data(), n);
    entries_.push_back(entry_);
    grams_.push_back(collector_.take());
    records_.clear();
    return {};
  }

  std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
  GramCollector collector_;
  std::string records_;  // of the block at hand
  BlockEntry entry_;
  bool open_[2] = {};  // by stream: what came last ended within a line
  std::uint16_t attempt_ = 0;
  std::string bytes_;
  std::vector<BlockEntry> entries_;
  std::vector<std::string> grams_;
};

// Changes places with the segment, so that one which its writer has dropped meanwhile doesn't come back. ENOENT: it
// has.
int exchange_names(const std::filesystem::path& beside, const std::filesystem::path& path) {
  if (::renameat2(AT_FDCWD, beside.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) {
    ::unlink(beside.c_str());
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system that can't: it comes back where it is dropped between these two calls, until it is dropped again.
  if (::access(path.c_str(), F_OK) != 0) return errno;
  return ::rename(beside.c_str(), path.c_str()) == 0 ? 0 : errno;
}

// On the disk before it has its name: a power cut leaves the one or the other.
Result<> replace(const std::filesystem::path& path, const std::string& content) {
  auto beside = path;
  beside += ".sealing";
  base::UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file && errno == ENOENT) return {};  // its folder went meanwhile
  if (!file) return base::fail_errno(errno, fmt::format("cannot create {}", beside.string()));
  const auto n = ::write(file.get(), content.data(), content.size());
  int error_number = n < 0 ? errno : static_cast<std::size_t>(n) != content.size() ? ENOSPC : 0;
  if (error_number == 0 && ::fdatasync(file.get()) != 0) error_number = errno;
  if (error_number == 0) error_number = exchange_names(beside, path);
  if (error_number == 0) return {};
  ::unlink(beside.c_str());
  if (error_number == ENOENT) return {};
  return base::fail_errno(error_number, fmt::format("cannot write {}", path.string()));
}

}  // namespace

Result<> seal_segment(const std::filesystem::path& folder, std::uint64_t number) {
  auto segment = SegmentFile::open(folder, number);
  if (!segment && segment.error().code == base::Code::kNotFound) return {};
  if (!segment) return std::unexpected(std::move(segment).error());
  if (segment->is_sealed()) return {};
  Sealer sealer;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, segment->fill());
    if (!more) break;
    while (const auto record = segment->next()) RETURN_IF_ERROR(sealer.add(*record));
  }
  ASSIGN_OR_RETURN(const auto content, sealer.finish());
  return replace(segment_path(folder, number), content);
}

}  // namespace orchion::node::logs
