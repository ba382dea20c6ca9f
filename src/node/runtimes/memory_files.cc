#include "node/runtimes/memory_files.h"

#include <cerrno>

#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/file.h"

namespace orchion::node::runtimes {

using base::Result;

Result<> write_memory_files(const std::filesystem::path& folder, const std::vector<FileContent>& files,
                            FileOwner owner) {
  RETURN_IF_ERROR(base::make_folders(folder));
  if (::chmod(folder.c_str(), 0700) != 0)
    return base::fail_errno(errno, fmt::format("cannot close {}", folder.string()));
  struct statfs info{};
  if (::statfs(folder.c_str(), &info) != 0)
    return base::fail_errno(errno, fmt::format("cannot look at {}", folder.string()));
  if (info.f_type != TMPFS_MAGIC &&
      ::mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=2m,mode=0700") != 0)
    return base::fail_errno(errno, fmt::format("cannot mount a tmpfs for secrets on {}", folder.string()));
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& file = files[i];
    const auto path = folder / std::to_string(i);
    RETURN_IF_ERROR(base::write_file(path, file.bytes, 0600));
    if (::chown(path.c_str(), file.uid.value_or(owner.uid), file.gid.value_or(owner.gid)) != 0 ||
        ::chmod(path.c_str(), file.mode) != 0)
      return base::fail_errno(errno, fmt::format("cannot set the owner of {}", path.string()));
  }
  return {};
}

Result<> remove_memory_files(const std::filesystem::path& folder) {
  if (::access(folder.c_str(), F_OK) != 0) return {};
  ::umount2(folder.c_str(), MNT_DETACH);  // EINVAL where nothing is mounted
  RETURN_IF_ERROR(base::remove_tree(folder));
  ::rmdir(folder.parent_path().c_str());
  return {};
}

}  // namespace orchion::node::runtimes
