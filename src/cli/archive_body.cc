#include "cli/archive_body.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/file.h"
#include "cli/terminal.h"

namespace orchion::cli {

namespace {

class ArchiveBody final : public wire::BodyReader {
 public:
  ArchiveBody(base::Executor executor, base::UniqueFd fd, std::shared_ptr<Sent> sent)
      : fd_(std::move(fd)), waited_for_(executor), sent_(std::move(sent)) {
    // Files can't be waited for with epoll, and are always ready: they are read as they are.
    boost::system::error_code error;
    waited_for_.assign(fd_.get(), error);
    if (!error) fd_.release();
  }

  base::Co<std::optional<std::string>> read() override {
    std::string piece(256 << 10, '\0');
    std::size_t n = 0;
    if (waited_for_.is_open()) {
      auto [error, got] = co_await waited_for_.async_read_some(boost::asio::buffer(piece),
                                                               boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error && error != boost::asio::error::eof)
        co_return base::fail_errno(error.value(), "cannot read the archive");
      n = got;
    } else {
      const auto got = ::read(fd_.get(), piece.data(), piece.size());
      if (got < 0) co_return base::fail_errno(errno, "cannot read the archive");
      n = static_cast<std::size_t>(got);
    }
    sent_->bytes += static_cast<std::int64_t>(n);
    sent_->all = n == 0;
    if (n == 0) co_return std::optional<std::string>();
    piece.resize(n);
    co_return std::optional(std::move(piece));
  }

 private:
  base::UniqueFd fd_;
  boost::asio::posix::stream_descriptor waited_for_;  // has the file where it can be waited for
  std::shared_ptr<Sent> sent_;
};

}  // namespace

base::Result<std::shared_ptr<wire::BodyReader>> open_archive(base::Executor executor, const std::string& file,
                                                             std::shared_ptr<Sent> sent) {
  base::UniqueFd fd(file == "-" ? open_own_input() : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno(errno, "cannot read " + file);
  struct stat info{};
  if (::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode)) sent->total = info.st_size;
  return std::make_shared<ArchiveBody>(std::move(executor), std::move(fd), std::move(sent));
}

base::Co<> print_body(std::shared_ptr<wire::BodyReader> body) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await body->read());
    if (!piece) co_return base::Result<>{};
    for (std::string_view rest = *piece; !rest.empty();) {
      const auto n = ::write(STDOUT_FILENO, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) co_return base::fail_errno(errno, "cannot write to standard output");
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
  }
}

}  // namespace orchion::cli
