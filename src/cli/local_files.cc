#include "cli/local_files.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <future>

#include <fmt/core.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/worker_pool.h"
#include "cli/copy_end.h"

namespace orchion::cli {

namespace {

using Socket = boost::asio::local::stream_protocol::socket;

constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr std::size_t kPieceBytes = 256u << 10;

struct Ends {
  base::UniqueFd loop;
  base::UniqueFd thread;
};

// A socket pair instead of a pipe: who writes to one whose other end has gone gets no signal.
base::Result<Ends> make_ends() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return base::fail_errno(errno, "cannot make a socket pair");
  return Ends{base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

// The thread's own writes say it by an error instead.
void ignore_broken_pipes() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

class PackedBody final : public wire::BodyReader {
 public:
  PackedBody(base::Executor executor, base::UniqueFd node, std::string top, tar::PackOptions options)
      : socket_(std::move(executor)) {
    auto ends = make_ends();
    if (!ends) {
      failed_ = ends.error();
      return;
    }
    socket_.assign(boost::asio::local::stream_protocol(), ends->loop.release());
    packing_ = std::async(std::launch::async, [node = std::move(node), top = std::move(top), options,
                                               out = std::move(ends->thread)]() mutable {
      ignore_broken_pipes();
      auto packed = tar::pack(node, top, options, out.get());
      out.reset();
      return packed;
    });
  }
  ~PackedBody() override {
    boost::system::error_code ignored;
    socket_.close(ignored);  // the thread ends with it
  }

  base::Co<std::optional<std::string>> read() override {
    if (failed_) co_return std::unexpected(*failed_);
    std::string piece(kPieceBytes, '\0');
    const auto [error, n] = co_await socket_.async_read_some(boost::asio::buffer(piece), kAwait);
    if (n == 0) {
      const auto packed = packing_.get();
      if (!packed) co_return std::unexpected(packed.error());
      co_return std::optional<std::string>();
    }
    piece.resize(n);
    co_return std::optional<std::string>(std::move(piece));
  }

 private:
  std::optional<base::Error> failed_;
  std::future<base::Result<tar::Packed>> packing_;
  Socket socket_;
};

base::Result<tar::Unpacked> unpack_here(int in, const LocalTarget& target, tar::UnpackOptions options) {
  base::UniqueFd folder(::open(target.folder().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return tar::fail_at(errno, "write to", target.folder());
  const tar::TreeRoot root(std::move(folder), tar::TreeRoot::Links::kRefused);
  const auto choose = [&target](const std::string& top, bool is_folder) { return target.place(top, is_folder); };
  return tar::unpack(in, root, choose, options);
}

// False: nobody takes it any more.
base::Co<bool> hand_over(std::shared_ptr<wire::BodyReader> body, std::shared_ptr<Socket> to) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await body->read());
    if (!piece) co_return true;
    const auto [error, n] = co_await boost::asio::async_write(*to, boost::asio::buffer(*piece), kAwait);
    if (error) co_return false;
  }
}

}  // namespace

std::shared_ptr<wire::BodyReader> pack_files(base::Executor executor, base::UniqueFd node, std::string top,
                                             tar::PackOptions options) {
  return std::make_shared<PackedBody>(std::move(executor), std::move(node), std::move(top), options);
}

base::Result<LocalTarget> LocalTarget::find(const std::string& path) {
  LocalTarget target;
  target.path_ = path;
  struct stat info{};
  const bool is_there = ::stat(path.c_str(), &info) == 0;
  if (is_there && S_ISDIR(info.st_mode)) {
    target.folder_ = path;
    return target;
  }
  const auto [folder, name] = split_path(path);
  target.folder_ = folder;
  target.name_ = name;
  target.is_file_ = is_there;
  if (name.empty() || ::stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return base::fail(base::Code::kNotFound, fmt::format("there is no folder {}: make it first", folder));
  return target;
}

base::Result<tar::Place> LocalTarget::place(const std::string& top, bool is_folder) const {
  if (name_.empty()) return tar::Place{"", top == "." || top.empty() ? std::string() : top};
  if (is_file_ && is_folder)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("{} is a file: a folder is copied to a folder", path_));
  if (!is_folder && path_.ends_with('/'))
    return base::fail(base::Code::kNotFound, fmt::format("there is no folder {}: make it first", path_));
  return tar::Place{"", name_};
}

base::Co<tar::Unpacked> unpack_files(std::shared_ptr<wire::BodyReader> body, LocalTarget target,
                                     tar::UnpackOptions options) {
  CO_ASSIGN_OR_RETURN(auto ends, make_ends());
  // Before the socket: that is closed first, and the thread waited for then.
  auto job = [in = std::make_shared<base::UniqueFd>(std::move(ends.thread)), target, options] {
    auto unpacked = unpack_here(in->get(), target, options);
    in->reset();
    return unpacked;
  };
  auto unpacking = std::async(std::launch::async, std::move(job));
  const auto socket = std::make_shared<Socket>(co_await base::this_executor());
  socket->assign(boost::asio::local::stream_protocol(), ends.loop.release());
  const auto handed = co_await hand_over(std::move(body), socket);
  socket->close();
  auto unpacked = unpacking.get();
  // What was cut off isn't damaged: why it ended says more, unless unpacking ended it.
  if (!handed) co_return std::unexpected(handed.error());
  co_return unpacked;
}

}  // namespace orchion::cli
