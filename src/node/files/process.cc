#include "node/files/process.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace orchion::node::files {

base::Result<Process> open_process(std::int64_t pid) {
  if (pid <= 0) return base::fail(base::Code::kFailedPrecondition, "the task has no process: see `orchion ps`");
  base::UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
  if (!handle && errno == ESRCH)
    return base::fail(base::Code::kFailedPrecondition, "the task has just ended: see `orchion ps`");
  if (!handle) return base::fail_errno(errno, "cannot hold the task's process");
  return Process{pid, std::move(handle)};
}

}  // namespace orchion::node::files
