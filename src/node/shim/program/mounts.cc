#include "node/shim/program/mounts.h"

#include <cerrno>
#include <cstdio>

#include <sched.h>
#include <sys/mount.h>

#include "base/user_namespace.h"
#include "node/shim/bundle.h"
#include "node/shim/program/report.h"

namespace orchion::node::shim {

namespace {

// The kernel takes one page of options.
constexpr int kOptionBytes = 4096;

// False where there are more layers than fit.
bool overlay_options(int layers, char (&options)[kOptionBytes]) {
  // Its marks on files are the user's, where the machine's root alone could set trusted ones.
  const char* marks = base::is_in_user_namespace() ? "userxattr," : "";
  int size =
      std::snprintf(options, sizeof options, "%supperdir=%s,workdir=%s,lowerdir=", marks, kUpperFolder, kWorkFolder);
  for (int i = 0; i < layers && size < kOptionBytes; ++i)
    size += std::snprintf(options + size, static_cast<std::size_t>(kOptionBytes - size), "%s%s/%d", i == 0 ? "" : ":",
                          kLayersFolder, i);
  return size < kOptionBytes;
}

}  // namespace

bool enter_own_mounts(const Settings& settings) {
  if (::unshare(CLONE_NEWNS) != 0) {
    report_failure("cannot make a mount namespace", errno);
    return false;
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    report_failure("cannot detach the mount namespace from the host's", errno);
    return false;
  }
  // Covered, not unmounted: the runtime binary writes there all the same, and what lies below is the host's.
  if (settings.hidden_mount[0] != '\0' &&
      ::mount("tmpfs", settings.hidden_mount, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=1m,mode=0755") != 0) {
    report_failure("cannot hide the unified cgroup hierarchy from crun", errno);
    return false;
  }
  return true;
}

bool mount_root(int layers, const char* place) {
  char options[kOptionBytes];
  if (!overlay_options(layers, options)) {
    report_failure("the image has too many layers to mount", E2BIG);
    return false;
  }
  if (::mount("overlay", place, "overlay", 0, options) != 0) {
    report_failure("cannot mount the container's root (overlayfs needs a data folder on ext4, xfs or btrfs)", errno);
    return false;
  }
  return true;
}

}  // namespace orchion::node::shim
