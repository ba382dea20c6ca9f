#include "node/files/program/container_root.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace orchion::node::files {

namespace {

using base::Code;
using base::Result;
using base::UniqueFd;

std::unexpected<base::Error> ended() {
  return base::fail(Code::kFailedPrecondition, "the task has just ended: see `orchion ps`");
}

Result<> join_users(const UniqueFd& theirs) {
  struct stat their_info{};
  struct stat our_info{};
  if (::fstat(theirs.get(), &their_info) != 0 || ::stat("/proc/self/ns/user", &our_info) != 0)
    return base::fail_errno(errno, "cannot read the container's user namespace");
  if (their_info.st_ino == our_info.st_ino && their_info.st_dev == our_info.st_dev) return {};
  if (::setns(theirs.get(), CLONE_NEWUSER) != 0 || ::setgroups(0, nullptr) != 0 || ::setresgid(0, 0, 0) != 0 ||
      ::setresuid(0, 0, 0) != 0)
    return base::fail_errno(errno, "cannot enter the container's user namespace");
  return {};
}

}  // namespace

Result<ContainerRoot> enter_container(pid_t pid, int pidfd) {
  const auto folder = fmt::format("/proc/{}/", pid);
  UniqueFd root(::open((folder + "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd users(::open((folder + "ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> where;
  const auto length = ::readlink((folder + "cwd").c_str(), where.data(), where.size());
  // As long as the process lives its pid is nobody else's: all three are its own.
  if (::syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) != 0) return ended();
  if (!root || !users || length < 0)
    return errno == ENOENT || errno == ESRCH ? ended() : base::fail_errno(errno, "cannot open the container's root");
  RETURN_IF_ERROR(join_users(users));
  return ContainerRoot{tar::TreeRoot(std::move(root), tar::TreeRoot::Links::kInside),
                       std::string(where.data(), static_cast<std::size_t>(length))};
}

}  // namespace orchion::node::files
