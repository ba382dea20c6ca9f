#include "node/runtimes/attach/attach_stream.h"

#include <fmt/core.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "base/notifier.h"

namespace orchion::node::runtimes::attach {

namespace {

using base::Co;
using base::Code;
using base::Result;

// What the wait for the end touches: the stream may be gone when it is.
struct Shared {
  explicit Shared(base::Executor executor) : ended(std::move(executor)) {}
  std::unique_ptr<AttachOutput> output;
  std::optional<Result<ExitStatus>> end;
  boost::asio::cancellation_signal cancel;  // of the wait
  bool waits = true;
  base::Notifier ended;  // when it no longer waits
  bool abandoned = false;
};

class AttachStream final : public AttachedStream {
 public:
  AttachStream(base::Executor executor, AttachParts parts, Co<ExitStatus> end)
      : executor_(std::move(executor)),
        shared_(std::make_shared<Shared>(executor_)),
        input_(std::move(parts.input)),
        takes_input_(parts.takes_input) {
    shared_->output = std::move(parts.output);
    auto ended = [shared = shared_](std::exception_ptr thrown, Result<ExitStatus> status) {
      shared->waits = false;
      if (shared->abandoned) return;
      shared->end = thrown ? base::fail(Code::kCancelled, "the wait was interrupted") : std::move(status);
      shared->output->finish();
      shared->ended.notify();
    };
    boost::asio::co_spawn(executor_, std::move(end),
                          boost::asio::bind_cancellation_slot(shared_->cancel.slot(), std::move(ended)));
  }

  ~AttachStream() override {
    shared_->abandoned = true;
    if (!shared_->waits) return;
    shared_->cancel.emit(boost::asio::cancellation_type::terminal);
    // Outside of the loop that only queues the cancellation, which is the signal's own memory.
    boost::asio::post(executor_, [shared = shared_] {});
  }

  Co<std::optional<ExecOutput>> receive() override {
    if (told_) co_return std::optional<ExecOutput>();
    const auto shared = shared_;
    CO_ASSIGN_OR_RETURN(auto output, co_await shared->output->next());
    if (output) co_return output;
    // An engine ends the output before it tells the end.
    while (!shared->end) CO_RETURN_IF_ERROR(co_await shared->ended.wait());
    if (!*shared->end) co_return std::unexpected(shared->end->error());
    told_ = true;
    ExecOutput last;
    last.exit_code = (*shared->end)->code;
    co_return std::optional<ExecOutput>(std::move(last));
  }

  Co<> send(ExecInput message) override {
    if (!input_) co_return Result<>{};
    if (message.resize) CO_RETURN_IF_ERROR(co_await input_->resize(message.resize->first, message.resize->second));
    if (!takes_input_) co_return Result<>{};
    if (message.data) CO_RETURN_IF_ERROR(co_await input_->write(*std::move(message.data)));
    if (message.end) CO_RETURN_IF_ERROR(co_await input_->end());
    co_return Result<>{};
  }

  // Who leaves ends nothing.
  void finish() override {}
  void finish(base::Error) override {}

 private:
  base::Executor executor_;
  std::shared_ptr<Shared> shared_;
  std::unique_ptr<AttachInput> input_;
  bool takes_input_ = false;
  bool told_ = false;
};

}  // namespace

std::unique_ptr<AttachedStream> make_attach_stream(base::Executor executor, AttachParts parts, Co<ExitStatus> end) {
  return std::make_unique<AttachStream>(std::move(executor), std::move(parts), std::move(end));
}

Result<> check_input(const AttachConfig& config, bool stdin_open) {
  if (!config.stdin || stdin_open) return {};
  return base::fail(Code::kFailedPrecondition,
                    "the container takes no input: give its service `stdin_open: true`, or attach without input");
}

base::Error never_started(const std::string& id) {
  return {Code::kFailedPrecondition, fmt::format("container {} was never started: start it first", id), {}};
}

}  // namespace orchion::node::runtimes::attach
