#include "node/networks/namespaces.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <future>

#include "base/file.h"
#include "node/networks/links.h"

namespace orchion::node::networks {
namespace {

// The calling thread moves into a new namespace, mounted at `path`.
base::Result<> make(const std::filesystem::path& path) {
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (!file) return base::fail_errno(errno, "creating " + path.string());
  if (::unshare(CLONE_NEWNET) != 0) return base::fail_errno(errno, "making a network namespace (it takes root)");
  if (::mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    return base::fail_errno(errno, "mounting a network namespace at " + path.string());
  }
  return {};
}

base::Result<> work_inside(const std::filesystem::path& path, bool exists, const NamespaceWork& work) {
  if (work.before) RETURN_IF_ERROR(work.before());
  if (!exists) RETURN_IF_ERROR(make(path));
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno(errno, "opening " + path.string());
  if (exists && ::setns(fd.get(), CLONE_NEWNET) != 0) {
    return base::fail_errno(errno, "entering the network namespace " + path.string());
  }
  return work.inside(fd.get());
}

}  // namespace

bool is_namespace(const std::filesystem::path& path) {
  struct statfs info{};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == NSFS_MAGIC;
}

bool is_same_namespace(const std::filesystem::path& a, const std::filesystem::path& b) {
  struct stat left{};
  struct stat right{};
  return is_namespace(a) && is_namespace(b) && ::stat(a.c_str(), &left) == 0 && ::stat(b.c_str(), &right) == 0 &&
         left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

base::Result<> keep_namespace(const std::filesystem::path& from, const std::filesystem::path& path) {
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (!file) return base::fail_errno(errno, "creating " + path.string());
  if (::mount(from.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0) return {};
  const int error = errno;
  ::unlink(path.c_str());
  return base::fail_errno(error, "mounting the network namespace " + from.string() + " at " + path.string());
}

base::Result<> run_in_namespace(const std::filesystem::path& path, NamespaceWork work) {
  const bool exists = is_namespace(path);
  auto done = std::async(std::launch::async, [&] { return work_inside(path, exists, work); }).get();
  if (!done && !exists) RETURN_IF_ERROR(remove_namespace(path));
  return done;
}

base::Result<base::UniqueFd> open_namespace(const std::filesystem::path& path) {
  base::UniqueFd opened;
  NamespaceWork work;
  work.inside = [&](int namespace_fd) -> base::Result<> {
    ASSIGN_OR_RETURN(NetlinkSocket inside, NetlinkSocket::open());
    RETURN_IF_ERROR(inside.run_one(bring_up("lo"), "bringing up the loopback of a namespace"));
    opened.reset(::fcntl(namespace_fd, F_DUPFD_CLOEXEC, 0));
    return opened ? base::Result<>{} : base::fail_errno(errno, "opening " + path.string());
  };
  RETURN_IF_ERROR(run_in_namespace(path, std::move(work)));
  return opened;
}

base::Result<base::UniqueFd> make_socket_in(const base::UniqueFd& where, int family, int type) {
  const auto make = [&]() -> base::Result<base::UniqueFd> {
    if (::setns(where.get(), CLONE_NEWNET) != 0) {
      if (errno == ESRCH)
        return base::fail(base::Code::kFailedPrecondition, "the task has just ended: see `orchion ps`");
      return base::fail_errno(errno, "cannot enter the task's network");
    }
    base::UniqueFd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return base::fail_errno(errno, "cannot make a socket in the task's network");
    return socket;
  };
  return std::async(std::launch::async, make).get();
}

base::Result<> remove_namespace(const std::filesystem::path& path) {
  while (is_namespace(path)) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
      return base::fail_errno(errno, "unmounting " + path.string());
    }
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return base::fail_errno(errno, "removing " + path.string());
  return {};
}

}  // namespace orchion::node::networks
