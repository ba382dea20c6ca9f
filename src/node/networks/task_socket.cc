#include "node/networks/task_socket.h"

#include <cerrno>
#include <future>

#include <sched.h>
#include <sys/socket.h>

namespace orchion::node::networks {

namespace {

base::Result<base::UniqueFd> make_inside(int process, int family) {
  if (::setns(process, CLONE_NEWNET) != 0) {
    if (errno == ESRCH) return base::fail(base::Code::kFailedPrecondition, "the task has just ended: see `orchion ps`");
    return base::fail_errno(errno, "cannot enter the task's network");
  }
  base::UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return base::fail_errno(errno, "cannot make a socket in the task's network");
  return socket;
}

}  // namespace

base::Result<base::UniqueFd> make_task_socket(const base::UniqueFd& process, int family) {
  return std::async(std::launch::async, make_inside, process.get(), family).get();
}

}  // namespace orchion::node::networks
