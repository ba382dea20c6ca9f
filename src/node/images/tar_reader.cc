#include "node/images/tar_reader.h"

#include <algorithm>
#include <cerrno>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "node/images/digest.h"
#include "node/images/disk_error.h"

namespace orchion::node::images {

namespace {

constexpr std::size_t kBufferBytes = 256u << 10;
constexpr std::size_t kTarBlock = 512;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchivePtr = std::unique_ptr<archive, FreeArchive>;

EntryType type_of(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return EntryType::kHardlink;
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG: return EntryType::kFile;
    case AE_IFDIR: return EntryType::kFolder;
    case AE_IFLNK: return EntryType::kSymlink;
    case AE_IFCHR: return EntryType::kCharDevice;
    case AE_IFBLK: return EntryType::kBlockDevice;
    case AE_IFIFO: return EntryType::kFifo;
    default: return EntryType::kOther;
  }
}

std::string text_or_empty(const char* text) {
  return text == nullptr ? "" : text;
}

ArchiveEntry convert(archive_entry* entry) {
  ArchiveEntry result;
  result.path = text_or_empty(archive_entry_pathname(entry));
  result.type = type_of(entry);
  result.link_target =
      text_or_empty(result.type == EntryType::kHardlink ? archive_entry_hardlink(entry) : archive_entry_symlink(entry));
  result.mode = archive_entry_perm(entry);
  result.uid = archive_entry_uid(entry);
  result.gid = archive_entry_gid(entry);
  result.mtime_s = archive_entry_mtime(entry);
  result.mtime_ns = archive_entry_mtime_nsec(entry);
  result.size = result.type == EntryType::kFile ? archive_entry_size(entry) : 0;
  result.device_major = static_cast<unsigned>(archive_entry_rdevmajor(entry));
  result.device_minor = static_cast<unsigned>(archive_entry_rdevminor(entry));
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
    result.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  return result;
}

}  // namespace

// Two readers, one behind the other: `outer` undoes the compression (absent where there is none), `inner` reads
// the tar; between them everything is counted and hashed.
struct TarReader::State {
  State(const ArchiveLimits& l, ArchiveUsage& u) : limits(l), usage(u) {}

  ArchiveLimits limits;
  ArchiveUsage& usage;
  Purpose purpose = Purpose::kUnpack;
  Compression compression = Compression::kNone;
  base::UniqueFd file;
  std::vector<char> packed = std::vector<char>(kBufferBytes);
  std::vector<char> unpacked = std::vector<char>(kBufferBytes);
  std::int64_t packed_bytes = 0;
  std::int64_t unpacked_bytes = 0;
  Sha256 packed_hash;
  Sha256 unpacked_hash;
  std::string tail;                    // the newest bytes of the tar, up to a block
  std::optional<base::Error> failure;  // ours, more telling than what libarchive makes of it
  ArchivePtr outer;
  ArchivePtr inner;

  std::unexpected<base::Error> error(archive* from) const {
    if (failure) return std::unexpected(*failure);
    const char* detail = archive_error_string(from);
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("the archive is not a tar (plain, gzip or zstd), or it is cut off or damaged ({}): "
                                  "make or fetch it again",
                                  detail == nullptr ? "no reason given" : detail));
  }

  la_ssize_t read_packed() {
    while (true) {
      const auto n = ::read(file.get(), packed.data(), packed.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        failure = base::fail_errno(errno, "cannot read the archive").error();
        return -1;
      }
      packed_bytes += n;
      if (purpose == Purpose::kUnpack) packed_hash.update({packed.data(), static_cast<std::size_t>(n)});
      return n;
    }
  }

  // Fills `unpacked` with the next bytes of the tar.
  la_ssize_t read_unpacked() {
    if (compression == Compression::kNone) {
      const auto n = read_packed();
      if (n > 0) packed.swap(unpacked);
      return n < 0 ? n : account(n);
    }
    const auto n = archive_read_data(outer.get(), unpacked.data(), unpacked.size());
    if (n < 0) {
      if (!failure) failure = error(outer.get()).error();
      return -1;
    }
    return account(n);
  }

  la_ssize_t account(la_ssize_t n) {
    const std::string_view bytes(unpacked.data(), static_cast<std::size_t>(n));
    unpacked_bytes += n;
    if (unpacked_bytes > limits.ratio_free_bytes && unpacked_bytes / limits.ratio_max > packed_bytes) {
      failure = base::Error{base::Code::kResourceExhausted,
                            fmt::format("the archive unpacks to more than {} times its size: it is not an image "
                                        "anybody would make",
                                        limits.ratio_max),
                            {}};
      return -1;
    }
    if (purpose == Purpose::kUnpack) {
      if (compression != Compression::kNone) unpacked_hash.update(bytes);
      tail.append(bytes.substr(bytes.size() - std::min(bytes.size(), kTarBlock)));
      if (tail.size() > kTarBlock) tail.erase(0, tail.size() - kTarBlock);
    }
    return n;
  }

  static la_ssize_t on_read_packed(archive*, void* self, const void** buffer) {
    auto* state = static_cast<State*>(self);
    const auto n = state->read_packed();
    *buffer = state->packed.data();
    return n;
  }

  static la_ssize_t on_read_unpacked(archive*, void* self, const void** buffer) {
    auto* state = static_cast<State*>(self);
    const auto n = state->read_unpacked();
    *buffer = state->unpacked.data();
    return n;
  }

  // Only while listing a plain tar: everything else must be seen.
  static la_int64_t on_skip(archive*, void* self, la_int64_t bytes) {
    auto* state = static_cast<State*>(self);
    if (state->purpose != Purpose::kList || state->compression != Compression::kNone) return 0;
    struct stat info{};
    const auto here = ::lseek(state->file.get(), 0, SEEK_CUR);
    if (here < 0 || ::fstat(state->file.get(), &info) != 0) return 0;
    const auto step = std::min<la_int64_t>(bytes, info.st_size - here);
    if (step <= 0 || ::lseek(state->file.get(), step, SEEK_CUR) < 0) return 0;
    state->packed_bytes += step;
    return step;
  }

  base::Result<> detect_compression() {
    unsigned char magic[4] = {};
    if (::pread(file.get(), magic, sizeof magic, 0) < 0) return base::fail_errno(errno, "cannot read the archive");
    if (magic[0] == 0x1f && magic[1] == 0x8b) compression = Compression::kGzip;
    if (magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd) compression = Compression::kZstd;
    return {};
  }

  base::Result<> start() {
    RETURN_IF_ERROR(detect_compression());
    if (compression != Compression::kNone) {
      outer.reset(archive_read_new());
      archive_read_support_format_raw(outer.get());
      archive_read_support_format_empty(outer.get());
      if (compression == Compression::kGzip) archive_read_support_filter_gzip(outer.get());
      if (compression == Compression::kZstd) archive_read_support_filter_zstd(outer.get());
      archive_entry* entry = nullptr;
      if (archive_read_open(outer.get(), this, nullptr, on_read_packed, nullptr) < ARCHIVE_WARN ||
          archive_read_next_header(outer.get(), &entry) < ARCHIVE_WARN)
        return error(outer.get());
    }
    inner.reset(archive_read_new());
    archive_read_support_format_tar(inner.get());
    archive_read_support_format_empty(inner.get());
    if (archive_read_open2(inner.get(), this, nullptr, on_read_unpacked, on_skip, nullptr) < ARCHIVE_WARN)
      return error(inner.get());
    return {};
  }

  base::Result<> count(const ArchiveEntry& entry) {
    usage.entries += 1;
    usage.name_bytes += static_cast<std::int64_t>(entry.path.size() + entry.link_target.size());
    if (entry.size < 0) return base::fail(base::Code::kInvalidArgument, "the archive holds a file of negative size");
    if (usage.entries > limits.entries_max || usage.name_bytes > limits.name_bytes_max)
      return base::fail(base::Code::kResourceExhausted,
                        fmt::format("the image holds more than the {} files allowed", limits.entries_max));
    if (entry.size > limits.bytes_max - usage.bytes)
      return base::fail(base::Code::kResourceExhausted,
                        fmt::format("the image unpacks to more than the {} bytes allowed", limits.bytes_max));
    usage.bytes += entry.size;
    return {};
  }
};

TarReader::TarReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarReader::~TarReader() = default;

base::Result<std::unique_ptr<TarReader>> TarReader::open(const std::filesystem::path& path, Purpose purpose,
                                                         const ArchiveLimits& limits, ArchiveUsage& usage) {
  auto state = std::make_unique<State>(limits, usage);
  state->purpose = purpose;
  state->file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!state->file) return base::fail_errno(errno, fmt::format("cannot open {}", path.string()));
  RETURN_IF_ERROR(state->start());
  return std::unique_ptr<TarReader>(new TarReader(std::move(state)));
}

base::Result<std::optional<ArchiveEntry>> TarReader::next() {
  archive_entry* raw = nullptr;
  const int status = archive_read_next_header(state_->inner.get(), &raw);
  if (status == ARCHIVE_EOF) return std::nullopt;
  // A warning is about the characters of a name: its bytes are kept as they are.
  if (status < ARCHIVE_WARN) return state_->error(state_->inner.get());
  auto entry = convert(raw);
  RETURN_IF_ERROR(state_->count(entry));
  return entry;
}

base::Result<std::optional<TarReader::Block>> TarReader::read_block() {
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int status = archive_read_data_block(state_->inner.get(), &data, &size, &offset);
  if (status == ARCHIVE_EOF) return std::nullopt;
  if (status < ARCHIVE_WARN) return state_->error(state_->inner.get());
  return Block{offset, {static_cast<const char*>(data), size}};
}

base::Result<TarReader::Summary> TarReader::finish() {
  while (true) {
    const auto n = state_->read_unpacked();
    if (n < 0) return state_->error(state_->inner.get());
    if (n == 0) break;
  }
  // Bytes after the end of the compressed stream belong to the file, and to its digest.
  while (true) {
    const auto n = state_->read_packed();
    if (n < 0) return state_->error(state_->inner.get());
    if (n == 0) break;
  }
  Summary summary;
  summary.packed_digest = state_->packed_hash.finish();
  summary.unpacked_digest =
      state_->compression == Compression::kNone ? summary.packed_digest : state_->unpacked_hash.finish();
  const auto& tail = state_->tail;
  summary.has_end_mark = tail.size() == kTarBlock && tail.find_first_not_of('\0') == std::string::npos;
  return summary;
}

Compression TarReader::compression() const {
  return state_->compression;
}

}  // namespace orchion::node::images
