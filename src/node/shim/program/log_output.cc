#include "node/shim/program/log_output.h"

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/code_pages.h"
#include "node/shim/bundle.h"
#include "node/shim/program/child.h"
#include "node/shim/program/output.h"

namespace orchion::node::shim {

namespace {

constexpr int kOutFd = 3;
constexpr int kErrorFd = 4;
constexpr int kReadyFd = 5;

Settings settings;

}  // namespace

int log_output(const char* target) {
  char* bundle = nullptr;
  const auto attempt = static_cast<std::uint16_t>(std::strtoul(target, &bundle, 10));
  if (*bundle != ':' || ::chdir(bundle + 1) != 0 || !read_settings(AT_FDCWD, settings)) return 1;
  guard_signals();  // containerd asks it to end when it has closed the other ends: by then there is only the rest
  ::close_range(kReadyFd + 1, ~0u, 0);
  // After the logger of the attempt before.
  const int lock = ::open(kLockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  while (lock >= 0 && ::flock(lock, LOCK_EX) != 0 && errno == EINTR) {
  }
  Output output(attempt);
  // A terminal has one stream, and containerd forgets to close the other's end.
  if (output.open_log(settings, kOutFd, settings.tty ? -1 : kErrorFd) != 0) return 1;
  if (settings.stdin_open && output.hold_input() != 0) return 1;
  ::close(kReadyFd);
  base::release_code_pages();
  output.carry_to_the_end();
  return 0;
}

}  // namespace orchion::node::shim
