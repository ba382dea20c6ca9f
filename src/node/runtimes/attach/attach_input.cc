#include "node/runtimes/attach/attach_input.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "node/shim/input_pipe.h"

namespace orchion::node::runtimes::attach {

namespace {

namespace asio = boost::asio;
using base::Co;
using base::Code;
using base::Result;
using base::UniqueFd;

constexpr auto kAwaited = std::chrono::seconds(5);
constexpr auto kPause = std::chrono::milliseconds(5);

Co<> write_all(asio::posix::stream_descriptor& to, std::string data) {
  boost::system::error_code failed;
  co_await asio::async_write(to, asio::buffer(data), asio::redirect_error(asio::use_awaitable, failed));
  if (failed == asio::error::operation_aborted) co_return base::fail(Code::kCancelled, "the input was interrupted");
  co_return Result<>{};
}

// Empty where nobody has its other end.
UniqueFd open_fifo(const std::filesystem::path& folder, const char* name) {
  return UniqueFd(::open((folder / name).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
}

class PipeInput final : public AttachInput {
 public:
  PipeInput(base::Executor executor, std::filesystem::path folder)
      : executor_(std::move(executor)), folder_(std::move(folder)) {}

  Co<> write(std::string data) override {
    UniqueFd fd = open_fifo(folder_, shim::kInputFifo);
    while (!fd && errno == ENXIO && std::chrono::steady_clock::now() < awaited_until_) {
      asio::steady_timer pause(executor_, kPause);
      boost::system::error_code failed;
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, failed));
      if (failed) co_return base::fail(Code::kCancelled, "the input was interrupted");
      fd = open_fifo(folder_, shim::kInputFifo);
    }
    if (!fd) co_return Result<>{};
    asio::posix::stream_descriptor fifo(executor_, fd.release());
    co_return co_await write_all(fifo, std::move(data));
  }

  Co<> end() override { co_return end_pipe_input(folder_); }

  Co<> resize(std::uint16_t, std::uint16_t) override { co_return Result<>{}; }

 private:
  base::Executor executor_;
  std::filesystem::path folder_;
  // An engine that has just started a container may open its end a little later. One whose container has closed its
  // input never does.
  const std::chrono::steady_clock::time_point awaited_until_ = std::chrono::steady_clock::now() + kAwaited;
};

class TerminalInput final : public AttachInput {
 public:
  TerminalInput(base::Executor executor, UniqueFd terminal) : terminal_(std::move(executor), terminal.release()) {}

  Co<> write(std::string data) override { co_return co_await write_all(terminal_, std::move(data)); }
  Co<> end() override { co_return co_await write(std::string(1, kEndOfTransmission)); }

  Co<> resize(std::uint16_t columns, std::uint16_t rows) override {
    const winsize size{rows, columns, 0, 0};
    ::ioctl(terminal_.native_handle(), TIOCSWINSZ, &size);
    co_return Result<>{};
  }

 private:
  asio::posix::stream_descriptor terminal_;
};

}  // namespace

std::unique_ptr<AttachInput> open_pipe_input(base::Executor executor, std::filesystem::path folder) {
  return std::make_unique<PipeInput>(std::move(executor), std::move(folder));
}

Result<> end_pipe_input(const std::filesystem::path& folder) {
  // First of all there is no way in any more: its end would open again.
  if (::unlink((folder / shim::kInputFifo).c_str()) != 0 && errno != ENOENT)
    return base::fail_errno(errno, "cannot end the container's input");
  const auto fd = open_fifo(folder, shim::kInputEndFifo);
  if (fd && ::write(fd.get(), "", 1) != 1 && errno != EAGAIN)
    return base::fail_errno(errno, "cannot end the container's input");
  return {};
}

std::unique_ptr<AttachInput> open_terminal_input(base::Executor executor, UniqueFd terminal) {
  return std::make_unique<TerminalInput>(std::move(executor), std::move(terminal));
}

}  // namespace orchion::node::runtimes::attach
