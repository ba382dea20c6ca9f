#include "node/logs/segment_follower.h"

#include <cerrno>

#include <fmt/core.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace orchion::node::logs {

namespace asio = boost::asio;

base::Result<SegmentFollower> SegmentFollower::open(base::Executor executor, const std::filesystem::path& folder) {
  ASSIGN_OR_RETURN(auto opened, open_folder(folder));
  return SegmentFollower(std::move(executor), std::move(opened));
}

base::Result<> SegmentFollower::watch() {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return base::fail_errno(errno, "cannot follow captured output");
  changes_.assign(fd);
  const auto folder = fmt::format("/proc/self/fd/{}", folder_.get());
  if (::inotify_add_watch(fd, folder.c_str(), IN_CREATE | IN_MODIFY | IN_DELETE_SELF) < 0)
    return base::fail_errno(errno, "cannot follow captured output");
  following_ = true;
  return {};
}

void SegmentFollower::start_in(std::optional<SegmentFile> segment, std::uint64_t next_number) {
  segment_ = std::move(segment);
  next_number_ = next_number;
}

// None, and nothing to follow, once the folder has been removed.
base::Result<std::vector<std::uint64_t>> SegmentFollower::segments() {
  struct stat info{};
  if (::fstat(folder_.get(), &info) == 0 && info.st_nlink > 0) return list_segments_in(folder_.get());
  following_ = false;
  return std::vector<std::uint64_t>();
}

// The next segment there is, skipping what was removed before it was begun. False: none yet.
base::Result<bool> SegmentFollower::open_next() {
  ASSIGN_OR_RETURN(const auto numbers, segments());
  for (const auto number : numbers) {
    if (number < next_number_) continue;
    auto opened = SegmentFile::open_in(folder_.get(), number);
    if (!opened && opened.error().code == base::Code::kNotFound) continue;
    if (!opened) return std::unexpected(std::move(opened).error());
    segment_ = *std::move(opened);
    if (begun_ && number > next_number_) fell_behind_ = true;
    begun_ = true;
    next_number_ = number + 1;
    return true;
  }
  return false;
}

// More of the segment at hand, or the next. False: at the end of all that is written.
base::Result<bool> SegmentFollower::fill() {
  if (!segment_) {
    ASSIGN_OR_RETURN(const bool opened, open_next());
    if (!opened) return false;
  }
  ASSIGN_OR_RETURN(bool more, segment_->fill(choice_));
  if (more) return true;
  // A newer segment means that this one is finished, but its last bytes may have come after the look above.
  ASSIGN_OR_RETURN(const auto numbers, segments());
  if (numbers.empty() || numbers.back() <= segment_->number()) return false;
  ASSIGN_OR_RETURN(more, segment_->fill(choice_));
  if (!more) segment_.reset();
  return true;
}

// Swallows the events: that there were some is all that matters.
base::Co<> SegmentFollower::wait() {
  if (!following_) co_return base::Result<>{};
  boost::system::error_code error;
  co_await changes_.async_wait(asio::posix::stream_descriptor::wait_read,
                               asio::redirect_error(asio::use_awaitable, error));
  char events[4096];
  while (!error && ::read(changes_.native_handle(), events, sizeof events) > 0) {
  }
  // Cancelled by stop(), or from outside.
  if (error && following_) co_return base::fail(base::Code::kCancelled, "reading the output was cancelled");
  co_return base::Result<>{};
}

void SegmentFollower::stop() {
  following_ = false;
  if (changes_.is_open()) changes_.cancel();
}

}  // namespace orchion::node::logs
