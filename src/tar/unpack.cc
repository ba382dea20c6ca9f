#include "tar/unpack.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/free_with.h"

namespace orchion::tar {

namespace {

using base::Code;
using base::Result;
using base::UniqueFd;

constexpr std::size_t kBlockBytes = 256u << 10;
constexpr int kDepthMax = 256;
constexpr mode_t kImpliedFolderMode = 0755;

using Reader = std::unique_ptr<archive, base::FreeWith<archive_read_free>>;

std::unexpected<base::Error> refuse(std::string_view path, std::string_view why) {
  return base::fail(Code::kInvalidArgument,
                    fmt::format("the archive is not unpacked any further: {} {}", in_quotes(path), why));
}

// "./a//b/" → "a/b". Names that climb or begin at "/" are refused, not mended: no honest tool sends them here.
Result<std::string> checked(std::string_view path) {
  if (path.starts_with('/')) return refuse(path, "is an absolute name");
  int depth = 0;
  for (std::string_view rest = path; !rest.empty();) {
    const auto slash = rest.find('/');
    if (rest.substr(0, slash) == "..") return refuse(path, "leads out of the folder");
    if (++depth > kDepthMax) return refuse(path, "is nested too deeply");
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  return clean(path);
}

std::string joined(const std::string& folder, const std::string& name) {
  if (folder.empty() || name.empty() || folder.ends_with('/')) return folder + name;
  return folder + "/" + name;
}

class Unpacker {
 public:
  Unpacker(int in, const TreeRoot& root, const UnpackOptions& options) : in_(in), root_(root), options_(options) {}

  Result<Unpacked> run(const ChoosePlace& choose) {
    RETURN_IF_ERROR(open());
    while (true) {
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(reader_.get(), &entry);
      if (status == ARCHIVE_EOF) break;
      // A warning is about the characters of a name: its bytes are kept as they are.
      if (status < ARCHIVE_WARN) return error();
      RETURN_IF_ERROR(add(entry, choose));
    }
    RETURN_IF_ERROR(set_folder_times());
    drain();
    return unpacked_;
  }

 private:
  struct FolderTimes {
    std::string path;
    timespec times[2];
  };

  Result<> open() {
    reader_.reset(archive_read_new());
    archive_read_support_filter_gzip(reader_.get());
    archive_read_support_filter_zstd(reader_.get());
    archive_read_support_format_tar(reader_.get());
    archive_read_support_format_empty(reader_.get());
    if (archive_read_open_fd(reader_.get(), in_, kBlockBytes) < ARCHIVE_WARN) return error();
    return {};
  }

  // Tars are filled up with zeros: whoever sends them shall get rid of them.
  void drain() const {
    std::array<char, 16u << 10> rest;
    while (true) {
      const auto n = ::read(in_, rest.data(), rest.size());
      if (n == 0 || (n < 0 && errno != EINTR)) return;
    }
  }

  std::unexpected<base::Error> error() const {
    const char* detail = archive_error_string(reader_.get());
    return base::fail(Code::kInvalidArgument,
                      fmt::format("this is no tar (plain, gzip or zstd), or it is cut off or damaged ({})",
                                  detail == nullptr ? "no reason given" : detail));
  }

  // Where an entry goes, below the root; nullopt: it is the folder that was there before.
  Result<std::optional<std::string>> place_of(archive_entry* entry, const ChoosePlace& choose) {
    const char* name = archive_entry_pathname(entry);
    ASSIGN_OR_RETURN(auto path, checked(name == nullptr ? "" : name));
    if (!place_) {
      first_ = path.substr(0, path.find('/'));
      ASSIGN_OR_RETURN(place_, choose(first_, archive_entry_filetype(entry) == AE_IFDIR || path != first_));
    }
    return moved(path);
  }

  Result<std::optional<std::string>> moved(const std::string& path) {
    if (!place_->top) return path.empty() ? std::optional<std::string>() : joined(place_->folder, path);
    std::string rest = path;
    if (!first_.empty()) {
      if (path != first_ && !path.starts_with(first_ + "/")) return refuse(path, "lies beside what was asked for");
      rest = path.size() > first_.size() ? path.substr(first_.size() + 1) : "";
    }
    auto there = joined(*place_->top, rest);
    if (there.empty()) return std::nullopt;
    return joined(place_->folder, there);
  }

  Result<> add(archive_entry* entry, const ChoosePlace& choose) {
    ASSIGN_OR_RETURN(const auto there, place_of(entry, choose));
    if (!there) {
      if (archive_entry_hardlink(entry) != nullptr || archive_entry_filetype(entry) != AE_IFDIR)
        return refuse(first_, "is no folder");
      return {};
    }
    const auto [parent_path, name] = split(*there);
    ASSIGN_OR_RETURN(const int parent, open_parent(parent_path));
    if (archive_entry_hardlink(entry) != nullptr) return add_hardlink(parent, name, entry, *there);
    switch (archive_entry_filetype(entry)) {
      case AE_IFREG: return add_file(parent, name, entry, *there);
      case AE_IFDIR: return add_folder(parent, name, entry, *there);
      case AE_IFLNK:
      case AE_IFIFO:
      case AE_IFCHR:
      case AE_IFBLK: return add_node(parent, name, entry, *there);
      default: return {};  // sockets and what no tool makes
    }
  }

  Result<int> open_parent(const std::string& path) {
    if (parent_ && path == parent_path_) return parent_.get();
    ASSIGN_OR_RETURN(parent_, open_or_make(path));
    parent_path_ = path;
    return parent_.get();
  }

  // What lies above an entry, and below the place, may be missing.
  Result<UniqueFd> open_or_make(const std::string& path) {
    auto fd = root_.open(path, O_RDONLY | O_DIRECTORY);
    if (fd) return fd;
    if (errno != ENOENT || path.size() <= place_->folder.size()) return fail_at(errno, "write to", path);
    const auto [above, name] = split(path);
    ASSIGN_OR_RETURN(const auto parent, open_or_make(above));
    if (::mkdirat(parent.get(), name.c_str(), kImpliedFolderMode) != 0) {
      if (errno == EEXIST) return refuse(path, "is a link to nothing, and something lies below it");
      return fail_at(errno, "create", path);
    }
    UniqueFd made(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made) return fail_at(errno, "create", path);
    return made;
  }

  // Makes room for something that is no folder.
  Result<> clear(int parent, const std::string& name, const std::string& path) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    const int why = errno;
    struct stat info{};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode))
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("{} is a folder there, and none in the archive: remove it first", in_quotes(path)));
    return fail_at(why, "replace", path);
  }

  // A file that something is mounted on can't be replaced, only written anew: /etc/hosts of most containers.
  Result<UniqueFd> open_for_writing(int parent, const std::string& name, const std::string& path) {
    constexpr int kFlags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    const auto create = [&] { return UniqueFd(::openat(parent, name.c_str(), kFlags | O_CREAT | O_EXCL, 0600)); };
    auto fd = create();
    if (fd) return fd;
    if (errno != EEXIST) return fail_at(errno, "create", path);
    if (::unlinkat(parent, name.c_str(), 0) != 0 && errno == EBUSY) {
      struct stat info{};
      fd.reset(::openat(parent, name.c_str(), kFlags));
      if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || ::ftruncate(fd.get(), 0) != 0)
        return fail_at(errno, "replace", path);
      return fd;
    }
    RETURN_IF_ERROR(clear(parent, name, path));
    fd = create();
    if (!fd) return fail_at(errno, "create", path);
    return fd;
  }

  Result<> add_file(int parent, const std::string& name, archive_entry* entry, const std::string& path) {
    ASSIGN_OR_RETURN(const auto fd, open_for_writing(parent, name, path));
    RETURN_IF_ERROR(write_data(fd.get(), archive_entry_size(entry), path));
    RETURN_IF_ERROR(set_attributes(fd.get(), entry, path));
    timespec times[2];
    read_times(entry, times);
    if (::futimens(fd.get(), times) != 0) return fail_at(errno, "write", path);
    ++unpacked_.files;
    unpacked_.bytes += archive_entry_size(entry);
    return {};
  }

  Result<> write_data(int fd, std::int64_t size, const std::string& path) {
    std::int64_t end = 0;
    while (true) {
      const void* data = nullptr;
      std::size_t left = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(reader_.get(), &data, &left, &offset);
      if (status == ARCHIVE_EOF) break;
      if (status < ARCHIVE_WARN) return error();
      const auto* bytes = static_cast<const char*>(data);
      while (left > 0) {
        const auto n = ::pwrite(fd, bytes, left, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_at(errno, "write", path);
        bytes += n;
        left -= static_cast<std::size_t>(n);
        offset += n;
      }
      end = std::max<std::int64_t>(end, offset);
    }
    // A sparse file may end in a hole.
    if (end < size && ::ftruncate(fd, size) != 0) return fail_at(errno, "write", path);
    return {};
  }

  // Owner first: changing it clears setuid and file capabilities.
  Result<> set_attributes(int fd, archive_entry* entry, const std::string& path) {
    if (options_.as_archived) {
      ASSIGN_OR_RETURN(const auto owner, owner_of(entry, path));
      if (::fchown(fd, owner.uid, owner.gid) != 0) return fail_at(errno, "set the owner of", path);
    }
    if (::fchmod(fd, mode_of(entry)) != 0) return fail_at(errno, "set the permissions of", path);
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
      const std::string_view attribute(name == nullptr ? "" : name);
      const bool wanted = (attribute.starts_with("user.") && !attribute.starts_with("user.overlay.")) ||
                          (attribute == "security.capability" && options_.as_archived);
      // A file system that knows no attributes, or not this one, has the file all the same.
      if (wanted) (void)::fsetxattr(fd, name, value, size, 0);
    }
    return {};
  }

  struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
  };
  static Result<Owner> owner_of(archive_entry* entry, const std::string& path) {
    constexpr std::int64_t kIdMax = 0xfffffffe;
    const auto uid = archive_entry_uid(entry);
    const auto gid = archive_entry_gid(entry);
    if (uid < 0 || uid > kIdMax || gid < 0 || gid > kIdMax) return refuse(path, "has an owner that cannot be");
    return Owner{static_cast<uid_t>(uid), static_cast<gid_t>(gid)};
  }

  mode_t mode_of(archive_entry* entry) const {
    return archive_entry_perm(entry) & static_cast<mode_t>(options_.as_archived ? 07777 : 0777);
  }

  static void read_times(archive_entry* entry, timespec (&times)[2]) {
    times[1] = {archive_entry_mtime(entry), std::clamp<long>(archive_entry_mtime_nsec(entry), 0, 999'999'999)};
    if (!archive_entry_mtime_is_set(entry)) times[1].tv_nsec = UTIME_NOW;
    times[0] = times[1];
  }

  Result<> add_folder(int parent, const std::string& name, archive_entry* entry, const std::string& path) {
    UniqueFd fd;
    if (::mkdirat(parent, name.c_str(), 0700) == 0) {
      fd.reset(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    } else if (errno == EEXIST) {
      // A folder that is reached by a link is one, as long as it lies inside.
      fd = root_.open(path, O_RDONLY | O_DIRECTORY);
      if (!fd && errno == ENOTDIR)
        return base::fail(Code::kFailedPrecondition,
                          fmt::format("{} is no folder there, but one in the archive: remove "
                                      "it first",
                                      in_quotes(path)));
    }
    if (!fd) return fail_at(errno, "create", path);
    FolderTimes times{path, {}};
    read_times(entry, times.times);
    folder_times_.push_back(times);
    return set_attributes(fd.get(), entry, path);
  }

  // Writing into a folder changes its times: they are set at the end, the newest word on a folder counts.
  Result<> set_folder_times() {
    for (const auto& folder : folder_times_) {
      const auto fd = root_.open(folder.path, O_RDONLY | O_DIRECTORY);
      if (fd && ::futimens(fd.get(), folder.times) != 0) return fail_at(errno, "write", folder.path);
    }
    return {};
  }

  Result<> add_hardlink(int parent, const std::string& name, archive_entry* entry, const std::string& path) {
    ASSIGN_OR_RETURN(const auto target, checked(archive_entry_hardlink(entry)));
    ASSIGN_OR_RETURN(const auto there, moved(target));
    if (!there) return refuse(path, "is a hard link to a folder");
    const auto [target_parent, target_name] = split(*there);
    const auto folder = root_.open(target_parent, O_RDONLY | O_DIRECTORY);
    struct stat info{};
    if (!folder || ::fstatat(folder.get(), target_name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        S_ISDIR(info.st_mode))
      return refuse(path, "is a hard link to something the archive has not");
    struct stat present{};
    if (::fstatat(parent, name.c_str(), &present, AT_SYMLINK_NOFOLLOW) == 0 && present.st_ino == info.st_ino &&
        present.st_dev == info.st_dev)
      return {};
    RETURN_IF_ERROR(clear(parent, name, path));
    if (::linkat(folder.get(), target_name.c_str(), parent, name.c_str(), 0) != 0)
      return fail_at(errno, "create the link", path);
    ++unpacked_.files;
    return {};
  }

  Result<> add_node(int parent, const std::string& name, archive_entry* entry, const std::string& path) {
    const auto type = archive_entry_filetype(entry);
    const bool is_device = type == AE_IFCHR || type == AE_IFBLK;
    if (is_device && !options_.as_archived) {
      ++unpacked_.devices_left_out;
      return {};
    }
    RETURN_IF_ERROR(clear(parent, name, path));
    const char* target = archive_entry_symlink(entry);
    const int made = type == AE_IFLNK ? ::symlinkat(target == nullptr ? "" : target, parent, name.c_str())
                                      : ::mknodat(parent, name.c_str(), type | mode_of(entry),
                                                  is_device ? archive_entry_rdev(entry) : 0);
    if (made != 0) return fail_at(errno, "create", path);
    // Nothing here follows a link that somebody may have put in its place: modes are set by the creation alone.
    if (options_.as_archived) {
      ASSIGN_OR_RETURN(const auto owner, owner_of(entry, path));
      if (::fchownat(parent, name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_at(errno, "set the owner of", path);
    }
    timespec times[2];
    read_times(entry, times);
    if (::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return fail_at(errno, "create", path);
    ++unpacked_.files;
    return {};
  }

  const int in_;
  const TreeRoot& root_;
  const UnpackOptions& options_;
  Reader reader_;
  std::optional<Place> place_;
  std::string first_;  // the archive's first name, without what lies below it
  UniqueFd parent_;    // of the newest entry: archives list a folder's files together
  std::string parent_path_;
  std::vector<FolderTimes> folder_times_;
  Unpacked unpacked_;
};

}  // namespace

Result<Unpacked> unpack(int in, const TreeRoot& root, const ChoosePlace& choose, const UnpackOptions& options) {
  return Unpacker(in, root, options).run(choose);
}

}  // namespace orchion::tar
