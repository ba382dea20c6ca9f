#include "node/runtimes/bundle/file_lock.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace orchion::node::runtimes::bundle {

using base::UniqueFd;

namespace {

constexpr std::chrono::milliseconds kLookAgain{20};

}  // namespace

base::Result<UniqueFd> lock_file(const std::filesystem::path& path, std::chrono::milliseconds patience) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return base::fail_errno(errno, fmt::format("cannot open {}", path.string()));
  // Watched before it is tried, so that no release is missed: a shim gives the lock up by closing the file.
  UniqueFd watch;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::fail_errno(errno, fmt::format("cannot lock {}", path.string()));
    if (!watch) {
      watch.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
      if (!watch || ::inotify_add_watch(watch.get(), path.c_str(), IN_CLOSE) < 0)
        return base::fail_errno(errno, fmt::format("cannot watch {}", path.string()));
      continue;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return base::fail(base::Code::kDeadlineExceeded, fmt::format("somebody keeps {} locked", path.string()));
    // The kernel tells of a close shortly before it lets the lock go: who looks in between hears nothing more.
    pollfd fd{watch.get(), POLLIN, 0};
    ::poll(&fd, 1, static_cast<int>(std::min(left, kLookAgain).count()));
    char events[4096];
    while (::read(watch.get(), events, sizeof events) > 0) {
    }
  }
  return file;
}

}  // namespace orchion::node::runtimes::bundle
