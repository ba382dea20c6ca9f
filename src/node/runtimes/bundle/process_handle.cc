#include "node/runtimes/bundle/process_handle.h"

#include <cerrno>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "node/shim/process_identity.h"

namespace orchion::node::runtimes::bundle {

base::UniqueFd open_process(const ProcessIdentity& process) {
  if (process.pid <= 0 || process.start <= 0) return {};
  base::UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(process.pid), 0)));
  // Checked after the opening: from then on the descriptor can't come to mean another process.
  if (!fd || shim::process_start(process.pid) != process.start) return {};
  return fd;
}

base::Result<base::UniqueFd> borrow_descriptor(const base::UniqueFd& process, int number) {
  if (!process) return base::fail(base::Code::kFailedPrecondition, "the process has ended");
  base::UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)));
  if (!fd && errno == ESRCH) return base::fail(base::Code::kFailedPrecondition, "the process has ended");
  if (!fd)
    return base::fail_errno(errno,
                            "cannot have the container's terminal from its shim (it needs Linux 5.6, and no "
                            "kernel.yama.ptrace_scope of 3)");
  return fd;
}

base::Result<> signal_process(const base::UniqueFd& process, int signal) {
  if (!process) return {};
  if (::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) != 0 && errno != ESRCH)
    return base::fail_errno(errno, "cannot signal the container");
  return {};
}

bool wait_for_end(const base::UniqueFd& process, std::chrono::milliseconds limit) {
  if (!process) return true;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd fd{process.get(), POLLIN, 0};
    const int ready = ::poll(&fd, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
  }
}

}  // namespace orchion::node::runtimes::bundle
