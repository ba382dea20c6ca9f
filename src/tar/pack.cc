#include "tar/pack.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/free_with.h"
#include "tar/tree_root.h"

namespace orchion::tar {

namespace {

using base::Code;
using base::Result;
using base::UniqueFd;

constexpr std::size_t kBlockBytes = 256u << 10;
constexpr int kDepthMax = 256;  // each level holds two descriptors
constexpr std::size_t kAttributeBytesMax = 64u << 10;

using Writer = std::unique_ptr<archive, base::FreeWith<archive_write_free>>;
using Entry = std::unique_ptr<archive_entry, base::FreeWith<archive_entry_free>>;

bool is_kernel_made(int fd) {
  constexpr std::array<std::int64_t, 12> kKinds = {PROC_SUPER_MAGIC,    SYSFS_MAGIC,        CGROUP_SUPER_MAGIC,
                                                   CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
                                                   TRACEFS_MAGIC,       SECURITYFS_MAGIC,   BPF_FS_MAGIC,
                                                   BINFMTFS_MAGIC,      PSTOREFS_MAGIC,     0x19800202 /* mqueue */};
  struct statfs info{};
  return ::fstatfs(fd, &info) == 0 && std::ranges::find(kKinds, static_cast<std::int64_t>(info.f_type)) != kKinds.end();
}

// The same file again, to be read; the link in /proc leads to exactly it.
UniqueFd reopen(int node, int flags) {
  const auto path = fmt::format("/proc/self/fd/{}", node);
  return UniqueFd(::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

// Attributes that mean something on another machine too.
bool is_copied(std::string_view attribute) {
  return attribute.starts_with("user.") || attribute == "security.capability";
}

void add_attributes(archive_entry* entry, int fd) {
  std::array<char, kAttributeBytesMax> names;
  const auto size = ::flistxattr(fd, names.data(), names.size());
  for (ssize_t at = 0; at < size;) {
    const std::string name(&names[static_cast<std::size_t>(at)]);
    at += std::ssize(name) + 1;
    if (!is_copied(name)) continue;
    std::vector<char> value(kAttributeBytesMax);
    const auto length = ::fgetxattr(fd, name.c_str(), value.data(), value.size());
    if (length >= 0) archive_entry_xattr_add_entry(entry, name.c_str(), value.data(), static_cast<std::size_t>(length));
  }
}

struct Extent {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// What of a file isn't a hole; all of it where the file system doesn't tell.
std::vector<Extent> extents_of(int fd, std::int64_t size) {
  std::vector<Extent> result;
  for (std::int64_t at = 0; at < size;) {
    const auto begin = ::lseek(fd, at, SEEK_DATA);
    if (begin < 0 && errno == ENXIO) break;
    if (begin < 0) return {{0, size}};
    auto end = ::lseek(fd, begin, SEEK_HOLE);
    if (end < 0) return {{0, size}};
    if (begin >= size) break;
    end = std::min<off_t>(end, size);
    result.push_back({begin, end});
    at = end;
  }
  return result;
}

class Packer {
 public:
  Packer(const PackOptions& options, int out) : options_(options), out_(out) {}

  Result<Packed> run(int node, const std::string& top) {
    writer_.reset(archive_write_new());
    // Names are bytes, whatever characters they are meant to be.
    if (archive_write_set_format_pax_restricted(writer_.get()) != ARCHIVE_OK ||
        archive_write_set_options(writer_.get(), "hdrcharset=BINARY") != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(writer_.get(), kBlockBytes) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(writer_.get(), 1) != ARCHIVE_OK ||
        archive_write_open2(writer_.get(), this, nullptr, on_write, nullptr, nullptr) != ARCHIVE_OK)
      return error("");
    struct stat info{};
    if (::fstat(node, &info) != 0) return fail_at(errno, "read", top);
    if (S_ISSOCK(info.st_mode))
      return base::fail(Code::kFailedPrecondition, fmt::format("{} is a socket: it cannot be copied", in_quotes(top)));
    RETURN_IF_ERROR(add(node, top, 0));
    if (archive_write_close(writer_.get()) != ARCHIVE_OK) return error("");
    return packed_;
  }

 private:
  static la_ssize_t on_write(archive*, void* self, const void* bytes, std::size_t size) {
    return static_cast<Packer*>(self)->write_out({static_cast<const char*>(bytes), size});
  }

  la_ssize_t write_out(std::span<const char> bytes) {
    written_ += std::ssize(bytes);
    if (options_.bytes_max > 0 && written_ > options_.bytes_max) {
      archive_set_error(writer_.get(), EFBIG, "it is too large");
      return -1;
    }
    for (auto rest = bytes; !rest.empty();) {
      const auto n = ::write(out_, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        archive_set_error(writer_.get(), errno, "the archive's reader went away");
        return -1;
      }
      rest = rest.subspan(static_cast<std::size_t>(n));
    }
    return static_cast<la_ssize_t>(bytes.size());
  }

  std::unexpected<base::Error> error(const std::string& path) const {
    const char* detail = archive_error_string(writer_.get());
    if (options_.bytes_max > 0 && written_ > options_.bytes_max)
      return base::fail(Code::kResourceExhausted, fmt::format("it is more than {} MiB", options_.bytes_max >> 20));
    return base::fail(Code::kUnavailable,
                      fmt::format("cannot send {}: {}", path.empty() ? "the archive" : in_quotes(path),
                                  detail == nullptr ? "no reason given" : detail));
  }

  // A warning is about what the format can't hold; the file is there all the same.
  Result<> write_header(archive_entry* entry, const std::string& path) {
    if (archive_write_header(writer_.get(), entry) < ARCHIVE_WARN) return error(path);
    return {};
  }

  Result<Entry> make_entry(const std::string& path, const struct stat& info) {
    Entry entry(archive_entry_new());
    archive_entry_copy_pathname(entry.get(), path.c_str());
    archive_entry_copy_stat(entry.get(), &info);
    if (options_.owned_by_root) {
      archive_entry_set_uid(entry.get(), 0);
      archive_entry_set_gid(entry.get(), 0);
    }
    if (!S_ISREG(info.st_mode)) archive_entry_set_size(entry.get(), 0);
    return entry;
  }

  Result<> add(int node, const std::string& path, int depth) {
    struct stat info{};
    if (::fstat(node, &info) != 0) return fail_at(errno, "read", path);
    if (S_ISSOCK(info.st_mode)) return {};
    if (S_ISDIR(info.st_mode)) return add_folder(node, path, info, depth);
    ++packed_.files;
    ASSIGN_OR_RETURN(auto entry, make_entry(path, info));
    if (info.st_nlink > 1) {
      const auto [first, is_new] = linked_.try_emplace({info.st_dev, info.st_ino}, path);
      if (!is_new) {
        archive_entry_copy_hardlink(entry.get(), first->second.c_str());
        archive_entry_set_size(entry.get(), 0);
        return write_header(entry.get(), path);
      }
    }
    if (S_ISREG(info.st_mode)) return add_file(node, path, std::move(entry));
    if (S_ISLNK(info.st_mode)) {
      std::array<char, 4097> target;
      const auto length = ::readlinkat(node, "", target.data(), target.size() - 1);
      if (length < 0) return fail_at(errno, "read", path);
      target[static_cast<std::size_t>(length)] = '\0';
      archive_entry_copy_symlink(entry.get(), target.data());
    }
    return write_header(entry.get(), path);
  }

  Result<> add_file(int node, const std::string& path, Entry entry) {
    const auto fd = reopen(node, 0);
    struct stat info{};
    if (!fd || ::fstat(fd.get(), &info) != 0) return fail_at(errno, "read", path);
    archive_entry_set_size(entry.get(), info.st_size);
    add_attributes(entry.get(), fd.get());
    const auto extents = extents_of(fd.get(), info.st_size);
    const bool has_holes = extents.size() != 1 || extents[0].begin != 0 || extents[0].end != info.st_size;
    if (has_holes && info.st_size > 0) {
      for (const auto& extent : extents)
        archive_entry_sparse_add_entry(entry.get(), extent.begin, extent.end - extent.begin);
      // A file that is one hole: a piece of no length says so.
      if (extents.empty()) archive_entry_sparse_add_entry(entry.get(), 0, 0);
    }
    RETURN_IF_ERROR(write_header(entry.get(), path));
    for (std::int64_t at = 0; const auto& extent : extents) {
      RETURN_IF_ERROR(skip(extent.begin - at, path));
      RETURN_IF_ERROR(copy_data(fd.get(), extent, path));
      at = extent.end;
    }
    // libarchive writes where the holes are with the first byte, be it one of a hole.
    if (extents.empty() && info.st_size > 0) RETURN_IF_ERROR(skip(1, path));
    packed_.bytes += info.st_size;
    return {};
  }

  // libarchive takes a sparse file's bytes all, and drops those that lie in holes.
  Result<> skip(std::int64_t bytes, const std::string& path) {
    static constexpr std::array<char, 64u << 10> kZeros{};
    while (bytes > 0) {
      const auto piece = std::min<std::int64_t>(bytes, std::ssize(kZeros));
      if (archive_write_data(writer_.get(), kZeros.data(), static_cast<std::size_t>(piece)) < 0) return error(path);
      bytes -= piece;
    }
    return {};
  }

  Result<> copy_data(int fd, Extent extent, const std::string& path) {
    while (extent.begin < extent.end) {
      const auto wanted = std::min<std::int64_t>(extent.end - extent.begin, std::ssize(buffer_));
      const auto n = ::pread(fd, buffer_.data(), static_cast<std::size_t>(wanted), extent.begin);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_at(errno, "read", path);
      if (n == 0) return skip(extent.end - extent.begin, path);
      if (archive_write_data(writer_.get(), buffer_.data(), static_cast<std::size_t>(n)) < 0) return error(path);
      extent.begin += n;
    }
    return {};
  }

  Result<> add_folder(int node, const std::string& path, const struct stat& info, int depth) {
    if (depth > kDepthMax)
      return base::fail(Code::kResourceExhausted, fmt::format("{} is nested too deeply to be copied", in_quotes(path)));
    const auto fd = reopen(node, O_DIRECTORY);
    if (!fd) return fail_at(errno, "read", path);
    ASSIGN_OR_RETURN(auto entry, make_entry(path, info));
    add_attributes(entry.get(), fd.get());
    RETURN_IF_ERROR(write_header(entry.get(), path));
    // Asked for by its own name it is copied; in passing it isn't.
    if (depth > 0 && is_kernel_made(fd.get())) return {};
    ASSIGN_OR_RETURN(const auto names, names_in(fd.get(), path));
    for (const auto& name : names) {
      const UniqueFd child(::openat(fd.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!child && errno == ENOENT) continue;
      if (!child) return fail_at(errno, "read", path + "/" + name);
      RETURN_IF_ERROR(add(child.get(), path + "/" + name, depth + 1));
    }
    return {};
  }

  static Result<std::vector<std::string>> names_in(int folder, const std::string& path) {
    const int own = ::fcntl(folder, F_DUPFD_CLOEXEC, 0);
    const std::unique_ptr<DIR, base::FreeWith<::closedir>> listing(own < 0 ? nullptr : ::fdopendir(own));
    if (!listing) return fail_at(errno, "read", path);
    std::vector<std::string> names;
    errno = 0;
    while (const auto* entry = ::readdir(listing.get())) {
      const std::string_view name(entry->d_name);
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return fail_at(errno, "read", path);
    std::ranges::sort(names);
    return names;
  }

  const PackOptions& options_;
  const int out_;
  Writer writer_;
  Packed packed_;
  std::int64_t written_ = 0;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // files of several names, and the first one met
  std::vector<char> buffer_ = std::vector<char>(kBlockBytes);
};

}  // namespace

Result<Packed> pack(const UniqueFd& node, const std::string& top, const PackOptions& options, int out) {
  return Packer(options, out).run(node.get(), top);
}

}  // namespace orchion::tar
