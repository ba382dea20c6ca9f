#include "node/runtimes/bundle/layer_files.h"

#include <cerrno>
#include <deque>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"

namespace orchion::node::runtimes::bundle {

namespace {

using base::Code;
using base::Result;
using base::UniqueFd;

constexpr int kLinksMax = 40;  // as the kernel

// One folder as the container sees it: the same folder in each layer that has it, highest first.
using MergedFolder = std::vector<UniqueFd>;

struct Found {
  enum class Kind { kNothing, kFolder, kLink, kFile };
  Kind kind = Kind::kNothing;
  MergedFolder folder;
  std::string link;
  UniqueFd file;
};

std::string read_link(int folder, const std::string& name) {
  char target[4096];
  const auto n = ::readlinkat(folder, name.c_str(), target, sizeof target);
  return n > 0 ? std::string(target, static_cast<std::size_t>(n)) : std::string();
}

bool is_opaque(int folder) {
  char value = 0;
  return ::fgetxattr(folder, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

// What `name` is in the merged folder. Layers are the image store's own and don't change while they are used.
Found look_up(const MergedFolder& folder, const std::string& name) {
  Found found;
  for (const auto& layer : folder) {
    struct stat info{};
    if (::fstatat(layer.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    const bool whiteout = S_ISCHR(info.st_mode) && info.st_rdev == ::makedev(0, 0);
    if (S_ISDIR(info.st_mode)) {
      found.kind = Found::Kind::kFolder;
      found.folder.emplace_back(::openat(layer.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (is_opaque(found.folder.back().get())) return found;
      continue;
    }
    // Anything else ends the search, and is hidden itself by a folder above it.
    if (whiteout || found.kind == Found::Kind::kFolder) return found;
    if (S_ISLNK(info.st_mode)) {
      found.kind = Found::Kind::kLink;
      found.link = read_link(layer.get(), name);
    } else if (S_ISREG(info.st_mode)) {
      found.kind = Found::Kind::kFile;
      found.file.reset(::openat(layer.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    }
    return found;
  }
  return found;
}

Result<std::string> read_regular(const UniqueFd& fd, const std::filesystem::path& path, std::size_t bytes_max) {
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return base::fail(Code::kNotFound, fmt::format("there is no file {} in the image", path.string()));
  return base::read_file(fmt::format("/proc/self/fd/{}", fd.get()), bytes_max);
}

std::unexpected<base::Error> not_found(const std::filesystem::path& path) {
  return base::fail(Code::kNotFound, fmt::format("there is no file {} in the image", path.string()));
}

}  // namespace

Result<std::string> read_layer_file(const std::vector<std::filesystem::path>& layers, const std::filesystem::path& path,
                                    std::size_t bytes_max) {
  MergedFolder root;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    root.emplace_back(::open(layer->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.back()) return base::fail_errno(errno, fmt::format("cannot open the layer {}", layer->string()));
  }
  std::deque<std::string> left;
  for (const auto& part : path.relative_path()) left.push_back(part.string());
  std::vector<MergedFolder> trail;  // from below the root to where we are
  int links = 0;
  while (!left.empty()) {
    const auto name = std::move(left.front());
    left.pop_front();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      if (!trail.empty()) trail.pop_back();
      continue;
    }
    auto found = look_up(trail.empty() ? root : trail.back(), name);
    switch (found.kind) {
      case Found::Kind::kNothing: return not_found(path);
      case Found::Kind::kFile: return left.empty() ? read_regular(found.file, path, bytes_max) : not_found(path);
      case Found::Kind::kFolder: trail.push_back(std::move(found.folder)); break;
      case Found::Kind::kLink: {
        if (++links > kLinksMax) return not_found(path);
        const std::filesystem::path target(found.link);
        if (target.is_absolute()) trail.clear();
        std::deque<std::string> parts;
        for (const auto& part : target.relative_path()) parts.push_back(part.string());
        left.insert(left.begin(), parts.begin(), parts.end());
        break;
      }
    }
  }
  return not_found(path);
}

Result<std::string> read_file_below(const std::filesystem::path& root, const std::filesystem::path& path,
                                    std::size_t bytes_max) {
  const UniqueFd folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return base::fail_errno(errno, fmt::format("cannot open {}", root.string()));
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd file(
      static_cast<int>(::syscall(SYS_openat2, folder.get(), path.relative_path().c_str(), &how, sizeof how)));
  return read_regular(file, path, bytes_max);
}

}  // namespace orchion::node::runtimes::bundle
