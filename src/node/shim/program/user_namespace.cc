#include "node/shim/program/user_namespace.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace orchion::node::shim {

namespace {

bool write_map(pid_t pid, const char* name, UserRange range) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/%s", static_cast<int>(pid), name);
  char line[64];
  const int size = std::snprintf(line, sizeof line, "0 %lld %lld\n", static_cast<long long>(range.first),
                                 static_cast<long long>(range.count));
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, line, static_cast<std::size_t>(size)) == size;
  const int error = errno;
  ::close(fd);
  errno = error;
  return written;
}

int open_namespace(pid_t pid, UserRange range) {
  if (!write_map(pid, "uid_map", range) || !write_map(pid, "gid_map", range)) return -1;
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/ns/user", static_cast<int>(pid));
  return ::open(path, O_RDONLY | O_CLOEXEC);
}

}  // namespace

// A process that does nothing has it while its map is written.
int make_user_namespace(UserRange range) {
  int told[2];
  if (::pipe2(told, O_CLOEXEC) != 0) return -1;
  const pid_t holder = ::fork();
  if (holder == 0) {
    const int error = ::unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::write(told[1], &error, sizeof error) == sizeof error && error == 0) ::pause();
    ::_exit(0);
  }
  ::close(told[1]);
  int error = holder < 0 ? errno : 0;
  int fd = -1;
  if (holder > 0 && ::read(told[0], &error, sizeof error) == sizeof error && error == 0) {
    fd = open_namespace(holder, range);
    error = errno;
  }
  ::close(told[0]);
  if (holder > 0) {
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
  }
  errno = error;
  return fd;
}

int clone_mount(const char* path, bool recursive, int namespace_fd) {
  const unsigned below = recursive ? AT_RECURSIVE : 0;
  const int mount = ::open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | below);
  if (mount < 0 || namespace_fd < 0) return mount;
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(namespace_fd);
  if (::mount_setattr(mount, "", AT_EMPTY_PATH | below, &attributes, sizeof attributes) == 0) return mount;
  const int error = errno;
  ::close(mount);
  errno = error;
  return -1;
}

bool add_attributes(int mount, std::uint64_t added) {
  mount_attr attributes{};
  attributes.attr_set = added;
  return added == 0 || ::mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0;
}

bool attach_mount(int mount, const char* path) {
  return ::move_mount(mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) == 0;
}

}  // namespace orchion::node::shim
