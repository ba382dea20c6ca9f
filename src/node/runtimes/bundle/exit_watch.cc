#include "node/runtimes/bundle/exit_watch.h"

#include <algorithm>
#include <string_view>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "node/shim/bundle.h"

namespace orchion::node::runtimes::bundle {

ExitWatch::ExitWatch(const std::filesystem::path& bundle) : events_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (events_ && ::inotify_add_watch(events_.get(), bundle.c_str(), IN_MOVED_TO) < 0) events_.reset();
}

bool ExitWatch::record_written() {
  alignas(inotify_event) char buffer[4096];
  for (ssize_t size = 0; (size = ::read(events_.get(), buffer, sizeof buffer)) > 0;) {
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      if (event->len > 0 && std::string_view(event->name) == shim::kExitFile) return true;
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
  }
  return false;
}

bool ExitWatch::wait(const base::UniqueFd& shim, std::chrono::milliseconds limit) {
  if (!shim) return true;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd fds[] = {{shim.get(), POLLIN, 0}, {events_.get(), POLLIN, 0}};  // poll ignores a negative descriptor
    if (::poll(fds, 2, static_cast<int>(std::max<std::int64_t>(left, 0))) == 0) return false;
    if (fds[0].revents != 0 || (fds[1].revents != 0 && record_written())) return true;
  }
}

}  // namespace orchion::node::runtimes::bundle
