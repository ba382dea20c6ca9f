#include "node/runtimes/engine/exec_stream.h"

#include <csignal>

#include <sys/syscall.h>
#include <unistd.h>

#include "base/backoff.h"

namespace orchion::node::runtimes::engine {

namespace {

using base::Co;
using base::Code;
using base::Result;
using node::engine::EngineClient;

constexpr std::size_t kFrameHeader = 8;  // the stream's number, three zeros, the length, big-endian
constexpr char kErrorStream = 2;
constexpr char kEndOfTransmission = 4;  // what a terminal takes for the end of input
constexpr base::BackoffOptions kPauses{.first = std::chrono::milliseconds(4), .longest = std::chrono::seconds(1)};
constexpr int kLooksMax = 16;

class ExecStream final : public base::Stream<ExecOutput, ExecInput> {
 public:
  ExecStream(std::shared_ptr<EngineClient> client, base::Clock& clock, RunningExec exec)
      : client_(std::move(client)), clock_(clock), exec_(std::move(exec)) {}

  ~ExecStream() override {
    if (!exit_told_) kill();
  }

  Co<std::optional<ExecOutput>> receive() override {
    if (exit_told_) co_return std::optional<ExecOutput>();
    while (true) {
      if (auto output = frames_.next()) co_return output;
      auto piece = co_await exec_.stream->read();
      if (!piece) co_return std::unexpected(std::move(piece).error());
      if (!*piece) co_return co_await take_exit();
      if (!exec_.tty) {
        frames_.put(**piece);
        continue;
      }
      ExecOutput output;
      output.out = **std::move(piece);
      co_return std::optional<ExecOutput>(std::move(output));
    }
  }

  Co<> send(ExecInput message) override {
    if (message.resize && exec_.tty)
      CO_RETURN_IF_ERROR(co_await client_->resize_exec(exec_.id, message.resize->first, message.resize->second));
    if (message.data) CO_RETURN_IF_ERROR(co_await write(*std::move(message.data)));
    if (message.end) CO_RETURN_IF_ERROR(co_await end_input());
    co_return Result<>{};
  }

  // A terminal stays open: what runs in it is not at its end because nobody types.
  void finish() override {
    if (!exec_.tty) exec_.stream->end();
  }
  void finish(base::Error) override { kill(); }

 private:
  // Input after the process has closed its end is dropped, as a terminal would.
  Co<> write(std::string data) {
    const auto written = co_await exec_.stream->write(std::move(data));
    if (!written && written.error().code == Code::kCancelled) co_return std::unexpected(written.error());
    co_return Result<>{};
  }

  Co<> end_input() {
    if (exec_.tty) co_return co_await write(std::string(1, kEndOfTransmission));
    exec_.stream->end();
    co_return Result<>{};
  }

  // The engine closes the stream a moment before it knows the code.
  Co<std::optional<ExecOutput>> take_exit() {
    auto random = base::Random::from_system();
    base::Backoff pauses(kPauses);
    for (int i = 0; i < kLooksMax; ++i) {
      CO_ASSIGN_OR_RETURN(const auto state, co_await client_->inspect_exec(exec_.id));
      if (!state.running) {
        exit_told_ = true;
        ExecOutput output;
        output.exit_code = state.exit_code;
        co_return std::optional<ExecOutput>(std::move(output));
      }
      CO_RETURN_IF_ERROR(co_await clock_.sleep(pauses.next(random)));
    }
    co_return base::fail(Code::kUnavailable, client_->name() + " ended the command's output but not the command");
  }

  void kill() {
    if (exec_.process) ::syscall(SYS_pidfd_send_signal, exec_.process.get(), SIGKILL, nullptr, 0);
  }

  std::shared_ptr<EngineClient> client_;
  base::Clock& clock_;
  RunningExec exec_;
  FrameReader frames_;
  bool exit_told_ = false;
};

}  // namespace

std::optional<ExecOutput> FrameReader::next() {
  while (unread_.size() >= kFrameHeader) {
    std::size_t length = 0;
    for (std::size_t i = 4; i < kFrameHeader; ++i) length = length << 8 | static_cast<unsigned char>(unread_[i]);
    if (unread_.size() < kFrameHeader + length) return std::nullopt;
    ExecOutput output;
    auto& text = unread_[0] == kErrorStream ? output.error : output.out;
    text = unread_.substr(kFrameHeader, length);
    unread_.erase(0, kFrameHeader + length);
    if (length > 0) return output;
  }
  return std::nullopt;
}

std::unique_ptr<base::Stream<ExecOutput, ExecInput>> make_exec_stream(std::shared_ptr<EngineClient> client,
                                                                      base::Clock& clock, RunningExec exec) {
  return std::make_unique<ExecStream>(std::move(client), clock, std::move(exec));
}

}  // namespace orchion::node::runtimes::engine
