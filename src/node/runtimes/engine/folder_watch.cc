#include "node/runtimes/engine/folder_watch.h"

#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/core.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace orchion::node::runtimes::engine {

base::Result<std::shared_ptr<FolderWatch>> FolderWatch::open(base::Executor executor) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return base::fail_errno(errno, "cannot watch folders (raise fs.inotify.max_user_instances)");
  auto watch = std::make_shared<FolderWatch>(std::move(executor));
  watch->events_.assign(fd);
  watch->arm();
  return watch;
}

base::Result<std::unique_ptr<FolderWatch::Token>> FolderWatch::watch(const std::filesystem::path& folder,
                                                                     std::function<void()> changed) {
  const int number =
      ::inotify_add_watch(events_.native_handle(), folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
  if (number < 0) return base::fail_errno(errno, fmt::format("cannot watch {}", folder.string()));
  watched_[number] = std::move(changed);
  return std::make_unique<Token>(shared_from_this(), number);
}

FolderWatch::Token::~Token() {
  watch_->watched_.erase(number_);
  ::inotify_rm_watch(watch_->events_.native_handle(),
                     number_);  // fails where the folder is gone, and the watch with it
}

void FolderWatch::arm() {
  events_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [weak = weak_from_this()](const boost::system::error_code& failed) {
                       const auto self = weak.lock();
                       if (!self || failed) return;
                       self->read_events();
                       self->arm();
                     });
}

void FolderWatch::read_events() {
  alignas(inotify_event) char buffer[16 << 10];
  std::set<int> numbers;
  for (auto n = ::read(events_.native_handle(), buffer, sizeof buffer); n > 0;
       n = ::read(events_.native_handle(), buffer, sizeof buffer)) {
    for (ssize_t at = 0; at < n;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof event);
      // Events were lost: everybody looks.
      if ((event.mask & IN_Q_OVERFLOW) != 0)
        for (const auto& [number, changed] : watched_) numbers.insert(number);
      numbers.insert(event.wd);
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  for (const int number : numbers) {
    if (const auto found = watched_.find(number); found != watched_.end()) found->second();
  }
}

}  // namespace orchion::node::runtimes::engine
