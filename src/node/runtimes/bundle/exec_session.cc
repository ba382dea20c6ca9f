#include "node/runtimes/bundle/exec_session.h"

#include <array>
#include <cerrno>
#include <charconv>

#include <sys/ioctl.h>
#include <unistd.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/notifier.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::bundle {

namespace {

namespace asio = boost::asio;
using base::Co;
using base::Code;
using base::Result;

constexpr std::size_t kReadBytes = 32 << 10;
constexpr char kEndOfTransmission = 4;  // what a terminal takes for the end of input

// A readable descriptor. Its callbacks keep it alive, so that the stream may be destroyed under them.
struct Source : std::enable_shared_from_this<Source> {
  Source(base::Executor executor, base::UniqueFd fd, std::shared_ptr<base::Notifier> wake)
      : descriptor(executor), readable(std::move(wake)) {
    if (fd) descriptor.assign(fd.release());
  }

  bool open() const { return descriptor.is_open(); }

  // Asks to be woken when there is something to read.
  void arm() {
    if (armed || !open()) return;
    armed = true;
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](const boost::system::error_code&) {
                            self->armed = false;
                            self->readable->notify();
                          });
  }

  // What is there now; empty where nothing is. Closes at the end.
  std::string read() {
    std::string data(kReadBytes, '\0');
    while (open()) {
      const auto n = ::read(descriptor.native_handle(), data.data(), data.size());
      if (n > 0) {
        data.resize(static_cast<std::size_t>(n));
        return data;
      }
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      close();  // the end; a terminal says it by EIO
    }
    return {};
  }

  void close() {
    boost::system::error_code ignored;
    descriptor.close(ignored);
  }

  asio::posix::stream_descriptor descriptor;
  std::shared_ptr<base::Notifier> readable;
  bool armed = false;
};

class ExecStream final : public base::Stream<ExecOutput, ExecInput> {
 public:
  ExecStream(base::Executor executor, ExecDescriptors exec)
      : wake_(std::make_shared<base::Notifier>(executor)),
        out_(std::make_shared<Source>(executor, std::move(exec.out), wake_)),
        error_(std::make_shared<Source>(executor, std::move(exec.error), wake_)),
        report_(std::make_shared<Source>(executor, std::move(exec.report), wake_)),
        in_(executor),
        reported_(std::move(exec.reported)),
        resize_(std::move(exec.resize)),
        input_ended_(std::move(exec.input_ended)),
        tty_(exec.tty) {
    if (exec.in) in_.assign(exec.in.release());
  }

  ~ExecStream() override {
    for (const auto& source : {out_, error_, report_}) source->close();
  }

  Co<std::optional<ExecOutput>> receive() override {
    while (true) {
      if (auto output = take_output()) co_return output;
      if (exit_code_) co_return take_exit();
      CO_RETURN_IF_ERROR(read_report());
      if (exit_code_) continue;  // what it wrote last may have come since
      for (const auto& source : {out_, error_, report_}) source->arm();
      CO_RETURN_IF_ERROR(co_await wake_->wait());
    }
  }

  Co<> send(ExecInput message) override {
    if (message.resize) CO_RETURN_IF_ERROR(co_await resize(message.resize->first, message.resize->second));
    if (message.end) CO_RETURN_IF_ERROR(co_await end_input());
    if (message.data) CO_RETURN_IF_ERROR(co_await write(*std::move(message.data)));
    co_return Result<>{};
  }

  // A terminal stays open: what runs in it is not at its end because nobody types.
  void finish() override {
    if (!tty_) close_input();
  }
  void finish(base::Error) override { report_->close(); }

 private:
  std::optional<ExecOutput> take_output() {
    ExecOutput output;
    if (auto data = out_->read(); !data.empty()) {
      output.out = std::move(data);
      return output;
    }
    if (auto data = error_->read(); !data.empty()) {
      output.error = std::move(data);
      return output;
    }
    return std::nullopt;
  }

  Result<std::optional<ExecOutput>> take_exit() {
    if (exit_told_) return std::optional<ExecOutput>();
    exit_told_ = true;
    ExecOutput output;
    output.exit_code = exit_code_;
    return std::optional<ExecOutput>(std::move(output));
  }

  // "exit N\n" once, then the end.
  Result<> read_report() {
    reported_ += report_->read();
    constexpr std::string_view kExit = shim::kReportExit;
    if (reported_.starts_with(kExit) && reported_.ends_with('\n')) {
      int code = 0;
      std::from_chars(reported_.data() + kExit.size(), reported_.data() + reported_.size(), code);
      exit_code_ = code;
      close_input();  // nobody reads it any more
    } else if (!report_->open()) {
      return base::fail(Code::kUnavailable, "the exec was ended: its shim was killed or the stream was closed");
    }
    return {};
  }

  Co<> resize(std::uint16_t columns, std::uint16_t rows) {
    if (!tty_ || !out_->open()) co_return Result<>{};
    if (resize_) co_return co_await resize_(columns, rows);
    const winsize size{rows, columns, 0, 0};
    ::ioctl(out_->descriptor.native_handle(), TIOCSWINSZ, &size);
    co_return Result<>{};
  }

  Co<> end_input() {
    if (tty_) co_return co_await write(std::string(1, kEndOfTransmission));
    close_input();
    co_return Result<>{};
  }

  // Input after the process has closed its end is dropped, as a terminal would.
  Co<> write(std::string data) {
    if (!in_.is_open()) co_return Result<>{};
    boost::system::error_code failed;
    co_await asio::async_write(in_, asio::buffer(data), asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted && !exit_code_)
      co_return base::fail(Code::kCancelled, "the input was interrupted");
    if (failed) close_input();
    co_return Result<>{};
  }

  void close_input() {
    if (!in_.is_open()) return;
    boost::system::error_code ignored;
    in_.close(ignored);
    if (input_ended_ && !exit_code_) input_ended_();
  }

  std::shared_ptr<base::Notifier> wake_;
  std::shared_ptr<Source> out_;
  std::shared_ptr<Source> error_;
  std::shared_ptr<Source> report_;
  asio::posix::stream_descriptor in_;
  std::string reported_;
  std::function<Co<>(std::uint16_t, std::uint16_t)> resize_;
  std::function<void()> input_ended_;
  std::optional<int> exit_code_;
  bool exit_told_ = false;
  bool tty_ = false;
};

}  // namespace

std::unique_ptr<base::Stream<ExecOutput, ExecInput>> make_exec_stream(base::Executor executor, ExecDescriptors exec) {
  return std::make_unique<ExecStream>(std::move(executor), std::move(exec));
}

}  // namespace orchion::node::runtimes::bundle
