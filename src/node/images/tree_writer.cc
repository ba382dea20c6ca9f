#include "node/images/tree_writer.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/user_namespace.h"
#include "node/images/disk_error.h"

namespace orchion::node::images {

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kReservedWhiteout = ".wh..wh.";
// Hides what lies below a folder. As overlayfs reads it where it is mounted by the machine's root, or by another's.
const char* opaque_attribute() {
  return base::is_in_user_namespace() ? "user.overlay.opaque" : "trusted.overlay.opaque";
}
constexpr int kDepthMax = 256;
constexpr mode_t kImpliedFolderMode = 0755;

std::unexpected<base::Error> refuse(std::string_view path, std::string_view why) {
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("the archive cannot be unpacked: {} {}", in_quotes(path), why));
}

std::unexpected<base::Error> fail_at(int error_number, std::string_view path) {
  switch (error_number) {
    case ENAMETOOLONG: return refuse(path, "is too long a name");
    case ENOTDIR: return refuse(path, "lies below something that is no folder");
    case ELOOP: return refuse(path, "lies below links that go in a circle");
    case EXDEV: return refuse(path, "leads out of its folder");
    default: return fail_disk(error_number, fmt::format("cannot unpack {}", in_quotes(path)));
  }
}

// "./a//b/" → "a/b"; "/" and "." → "". Names that climb are refused, not cleaned: no honest tool writes them.
base::Result<std::string> clean(std::string_view path) {
  std::string result;
  int depth = 0;
  for (std::string_view rest = path; !rest.empty();) {
    const auto slash = rest.find('/');
    const auto part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return refuse(path, "leads out of its folder");
    if (++depth > kDepthMax) return refuse(path, "is nested too deeply");
    if (!result.empty()) result += '/';
    result += part;
  }
  return result;
}

struct SplitPath {
  std::string parent;
  std::string name;
};

SplitPath split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// The kernel resolves `path` as if `root` were "/".
base::UniqueFd open_in_root(int root, const std::string& path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  while (true) {
    const auto fd = static_cast<int>(::syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how));
    // EAGAIN: a rename elsewhere made the kernel unsure; it asks to be called again.
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return base::UniqueFd(fd);
  }
}

// Marks by which overlayfs itself is led: only what unpacking derives from whiteouts may set them.
bool is_overlay_mark(std::string_view name) {
  return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

template <class Set>
base::Result<> set_xattrs(const ArchiveEntry& entry, Set set) {
  for (const auto& [name, value] : entry.xattrs) {
    if (is_overlay_mark(name)) continue;
    if (set(name.c_str(), value) == 0) continue;
    // A file system without the attribute's class (SELinux's, say) has no use for it; nor has who isn't root of the
    // machine for what only that one may set.
    const bool is_machines = !name.starts_with("user.") && name != "security.capability";
    if (errno != ENOTSUP && !(errno == EPERM && is_machines && base::is_in_user_namespace()))
      return fail_at(errno, entry.path);
  }
  return {};
}

base::Result<> check_owner(const ArchiveEntry& entry) {
  constexpr std::int64_t kIdMax = 0xfffffffe;
  if (entry.uid < 0 || entry.uid > kIdMax || entry.gid < 0 || entry.gid > kIdMax)
    return refuse(entry.path, "has an owner that cannot be");
  return {};
}

void set_times(const ArchiveEntry& entry, timespec (&times)[2]) {
  times[0] = {entry.mtime_s, std::clamp<std::int64_t>(entry.mtime_ns, 0, 999'999'999)};
  times[1] = times[0];
}

// What keeps a file from its owner.
std::unexpected<base::Error> fail_to_give(int error, const ArchiveEntry& entry) {
  if (error != EINVAL || !base::is_in_user_namespace()) return fail_at(error, entry.path);
  return base::fail(
      base::Code::kFailedPrecondition,
      fmt::format("{} belongs to user {} and group {}, and without root you have fewer: give yourself more "
                  "in /etc/subuid and /etc/subgid, and start orchion again when nothing runs",
                  entry.path, entry.uid, entry.gid));
}

// Owner first: changing it clears setuid and file capabilities.
base::Result<> set_attributes(int fd, const ArchiveEntry& entry) {
  if (::fchown(fd, static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid)) != 0)
    return fail_to_give(errno, entry);
  if (::fchmod(fd, entry.mode & 07777) != 0) return fail_at(errno, entry.path);
  return set_xattrs(entry, [fd](const char* name, const std::string& value) {
    return ::fsetxattr(fd, name, value.data(), value.size(), 0);
  });
}

base::Result<> write_data(int fd, const ArchiveEntry& entry, const TreeWriter::ReadBlock& read) {
  std::int64_t end = 0;
  while (true) {
    ASSIGN_OR_RETURN(auto block, read());
    if (!block) break;
    if (block->offset < 0 || block->offset > entry.size ||
        static_cast<std::int64_t>(block->bytes.size()) > entry.size - block->offset)
      return refuse(entry.path, "holds more than it says");
    while (!block->bytes.empty()) {
      const auto n = ::pwrite(fd, block->bytes.data(), block->bytes.size(), block->offset);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_at(errno, entry.path);
      block->bytes.remove_prefix(static_cast<std::size_t>(n));
      block->offset += n;
    }
    end = std::max(end, block->offset);
  }
  // A sparse file may end in a hole.
  if (end < entry.size && ::ftruncate(fd, entry.size) != 0) return fail_at(errno, entry.path);
  return {};
}

}  // namespace

base::Result<TreeWriter> TreeWriter::open(const std::filesystem::path& folder) {
  base::UniqueFd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_disk(errno, fmt::format("cannot open {}", folder.string()));
  return TreeWriter(std::move(root));
}

base::Result<> TreeWriter::add(const ArchiveEntry& entry, const ReadBlock& read) {
  if (entry.type == EntryType::kOther) return {};
  RETURN_IF_ERROR(check_owner(entry));
  ASSIGN_OR_RETURN(const auto path, clean(entry.path));
  if (path.empty()) return add_root(entry);
  const auto [parent_path, name] = split(path);
  ASSIGN_OR_RETURN(const int parent, open_parent(parent_path));
  if (name.starts_with(kWhiteout)) return add_whiteout(parent, name);
  switch (entry.type) {
    case EntryType::kFile: return add_file(parent, name, entry, read);
    case EntryType::kFolder: return add_folder(parent, name, path, entry);
    case EntryType::kHardlink: return add_hardlink(parent, name, entry);
    default: return add_node(parent, name, entry);
  }
}

base::Result<> TreeWriter::finish() {
  // In the order of the archive: the newest word on a folder counts. Setting times changes no other folder.
  for (const auto& folder : folder_times_) {
    const auto fd = open_in_root(root_.get(), folder.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd) continue;  // replaced by a later entry
    const timespec times[2] = {{folder.s, folder.ns}, {folder.s, folder.ns}};
    if (::futimens(fd.get(), times) != 0) return fail_at(errno, folder.path);
  }
  return {};
}

base::Result<int> TreeWriter::open_parent(const std::string& parent) {
  if (parent_ && parent == parent_path_) return parent_.get();
  ASSIGN_OR_RETURN(auto fd, open_or_make(parent));
  RETURN_IF_ERROR(check_depth(fd.get(), parent));
  parent_ = std::move(fd);
  parent_path_ = parent;
  return parent_.get();
}

base::Result<base::UniqueFd> TreeWriter::open_or_make(const std::string& parent) {
  auto fd = open_in_root(root_.get(), parent, O_RDONLY | O_DIRECTORY);
  if (fd) return fd;
  if (errno == ENOSYS)
    return base::fail(base::Code::kFailedPrecondition, "images need a Linux kernel of 5.6 or newer (openat2)");
  if (errno != ENOENT) return fail_at(errno, parent);
  const auto [above, name] = split(parent);
  ASSIGN_OR_RETURN(const auto above_fd, open_or_make(above));
  if (::mkdirat(above_fd.get(), name.c_str(), kImpliedFolderMode) != 0) {
    if (errno == EEXIST) return refuse(parent, "is a link to nothing, and something lies below it");
    return fail_at(errno, parent);
  }
  base::UniqueFd made(::openat(above_fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made || ::fchmod(made.get(), kImpliedFolderMode) != 0) return fail_at(errno, parent);
  return made;
}

// By way of links an archive could nest folders deeper than anything can remove again.
base::Result<> TreeWriter::check_depth(int fd, const std::string& path) {
  if (!has_symlinks_) return {};
  char where[4096];
  const auto length = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), where, sizeof where);
  if (length < 0 || length == static_cast<ssize_t>(sizeof where)) return refuse(path, "is nested too deeply");
  if (std::count(where, where + length, '/') > kDepthMax) return refuse(path, "is nested too deeply");
  return {};
}

// Makes room for `name`: a later entry replaces an earlier one, a folder only joins a folder.
base::Result<TreeWriter::Cleared> TreeWriter::clear(int parent, const std::string& name, bool for_folder) {
  struct stat info{};
  if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return Cleared::kNothing;
    return fail_at(errno, name);
  }
  const bool is_folder = S_ISDIR(info.st_mode);
  if (is_folder && for_folder) return Cleared::kFolderKept;
  if (is_folder) {
    // The tree is this writer's alone, so that its path through the descriptor leads where it led.
    RETURN_IF_ERROR(base::remove_tree(fmt::format("/proc/self/fd/{}/{}", parent, name)));
  } else if (::unlinkat(parent, name.c_str(), 0) != 0) {
    return fail_at(errno, name);
  }
  // What was removed may lie on the way to the parent that is kept open.
  if (is_folder || S_ISLNK(info.st_mode)) parent_path_.assign(1, '/');
  return S_ISCHR(info.st_mode) && info.st_rdev == 0 ? Cleared::kWhiteout : Cleared::kNothing;
}

base::Result<> TreeWriter::add_root(const ArchiveEntry& entry) {
  if (entry.type != EntryType::kFolder) return refuse(entry.path, "is the root, and no folder");
  folder_times_.push_back({"", entry.mtime_s, std::clamp<std::int64_t>(entry.mtime_ns, 0, 999'999'999)});
  return set_attributes(root_.get(), entry);
}

base::Result<> TreeWriter::add_whiteout(int parent, std::string_view name) {
  if (name == kOpaque) {
    if (::fsetxattr(parent, opaque_attribute(), "y", 1, 0) != 0) return fail_at(errno, name);
    return {};
  }
  if (name.starts_with(kReservedWhiteout)) return {};  // bookkeeping of AUFS
  const std::string hidden(name.substr(kWhiteout.size()));
  if (hidden.empty() || hidden == "." || hidden == "..") return refuse(name, "hides nothing that can be named");
  if (::mknodat(parent, hidden.c_str(), S_IFCHR, ::makedev(0, 0)) == 0) return {};
  if (errno != EEXIST) return fail_at(errno, name);
  // The layer has the name itself: what it brings stays, and only hides what lies below.
  const base::UniqueFd folder(::openat(parent, hidden.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (folder && ::fsetxattr(folder.get(), opaque_attribute(), "y", 1, 0) != 0) return fail_at(errno, name);
  return {};
}

base::Result<> TreeWriter::add_file(int parent, const std::string& name, const ArchiveEntry& entry,
                                    const ReadBlock& read) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  base::UniqueFd fd(::openat(parent, name.c_str(), kFlags, 0600));
  if (!fd && errno == EEXIST) {
    RETURN_IF_ERROR(clear(parent, name, false));
    fd.reset(::openat(parent, name.c_str(), kFlags, 0600));
  }
  if (!fd) return fail_at(errno, entry.path);
  RETURN_IF_ERROR(write_data(fd.get(), entry, read));
  RETURN_IF_ERROR(set_attributes(fd.get(), entry));
  timespec times[2];
  set_times(entry, times);
  if (::futimens(fd.get(), times) != 0) return fail_at(errno, entry.path);
  return {};
}

base::Result<> TreeWriter::add_folder(int parent, const std::string& name, const std::string& path,
                                      const ArchiveEntry& entry) {
  bool hides_lower = false;
  if (::mkdirat(parent, name.c_str(), 0700) != 0) {
    if (errno != EEXIST) return fail_at(errno, entry.path);
    ASSIGN_OR_RETURN(const auto cleared, clear(parent, name, true));
    hides_lower = cleared == Cleared::kWhiteout;
    if (cleared != Cleared::kFolderKept && ::mkdirat(parent, name.c_str(), 0700) != 0)
      return fail_at(errno, entry.path);
  }
  const base::UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_at(errno, entry.path);
  if (hides_lower && ::fsetxattr(fd.get(), opaque_attribute(), "y", 1, 0) != 0) return fail_at(errno, entry.path);
  folder_times_.push_back({path, entry.mtime_s, std::clamp<std::int64_t>(entry.mtime_ns, 0, 999'999'999)});
  return set_attributes(fd.get(), entry);
}

base::Result<> TreeWriter::add_hardlink(int parent, const std::string& name, const ArchiveEntry& entry) {
  ASSIGN_OR_RETURN(const auto target, clean(entry.link_target));
  if (target.empty()) return refuse(entry.path, "is a hard link to the root");
  const auto [target_parent, target_name] = split(target);
  const auto folder = open_in_root(root_.get(), target_parent, O_RDONLY | O_DIRECTORY);
  struct stat info{};
  if (!folder || ::fstatat(folder.get(), target_name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return refuse(entry.path, "is a hard link to something the archive has not");
  if (S_ISDIR(info.st_mode)) return refuse(entry.path, "is a hard link to a folder");
  if (::linkat(folder.get(), target_name.c_str(), parent, name.c_str(), 0) == 0) return {};
  if (errno != EEXIST) return fail_at(errno, entry.path);
  struct stat present{};
  if (::fstatat(parent, name.c_str(), &present, AT_SYMLINK_NOFOLLOW) == 0 && present.st_ino == info.st_ino) return {};
  RETURN_IF_ERROR(clear(parent, name, false));
  // The replaced name may have been a folder that held the target.
  if (::linkat(folder.get(), target_name.c_str(), parent, name.c_str(), 0) != 0)
    return refuse(entry.path, "is a hard link to something it replaces");
  return {};
}

base::Result<> TreeWriter::add_node(int parent, const std::string& name, const ArchiveEntry& entry) {
  const auto create = [&]() -> int {
    switch (entry.type) {
      case EntryType::kSymlink: return ::symlinkat(entry.link_target.c_str(), parent, name.c_str());
      case EntryType::kFifo: return ::mknodat(parent, name.c_str(), S_IFIFO | 0600, 0);
      default: {
        const auto kind = entry.type == EntryType::kBlockDevice ? S_IFBLK : S_IFCHR;
        return ::mknodat(parent, name.c_str(), static_cast<mode_t>(kind) | 0600,
                         ::makedev(entry.device_major, entry.device_minor));
      }
    }
  };
  const bool is_device = entry.type == EntryType::kBlockDevice || entry.type == EntryType::kCharDevice;
  // A container gets its devices when it starts; nobody could use these.
  if (is_device && base::is_in_user_namespace()) return {};
  if (create() != 0) {
    if (errno != EEXIST) return fail_at(errno, entry.path);
    RETURN_IF_ERROR(clear(parent, name, false));
    if (create() != 0) return fail_at(errno, entry.path);
  }
  const bool is_link = entry.type == EntryType::kSymlink;
  has_symlinks_ = has_symlinks_ || is_link;
  if (::fchownat(parent, name.c_str(), static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid),
                 AT_SYMLINK_NOFOLLOW) != 0 ||
      (!is_link && ::fchmodat(parent, name.c_str(), entry.mode & 07777, 0) != 0))
    return fail_at(errno, entry.path);
  const auto path = fmt::format("/proc/self/fd/{}/{}", parent, name);
  RETURN_IF_ERROR(set_xattrs(entry, [&path](const char* attribute, const std::string& value) {
    return ::lsetxattr(path.c_str(), attribute, value.data(), value.size(), 0);
  }));
  timespec times[2];
  set_times(entry, times);
  if (::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return fail_at(errno, entry.path);
  return {};
}

}  // namespace orchion::node::images
