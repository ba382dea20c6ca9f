#include "node/runtimes/fake/fake_exec.h"

#include <deque>

namespace orchion::node::runtimes::fake {

namespace {

using base::Co;
using base::Result;

ExecOutput text_output(std::string text) {
  ExecOutput output;
  output.out = std::move(text);
  return output;
}

ExecOutput exit_output(int code) {
  ExecOutput output;
  output.exit_code = code;
  return output;
}

class FakeExec final : public base::Stream<ExecOutput, ExecInput> {
 public:
  FakeExec(base::Executor executor, FakeCommand command) : command_(std::move(command)), changed_(std::move(executor)) {
    if (!command_.output.empty()) outputs_.push_back(text_output(command_.output));
    if (!command_.echoes_input) end();
  }

  Co<std::optional<ExecOutput>> receive() override {
    while (outputs_.empty()) {
      if (ended_) co_return std::optional<ExecOutput>();
      CO_RETURN_IF_ERROR(co_await changed_.wait());
    }
    auto output = std::move(outputs_.front());
    outputs_.pop_front();
    co_return std::optional<ExecOutput>(std::move(output));
  }

  Co<> send(ExecInput message) override {
    if (!ended_ && message.data) outputs_.push_back(text_output(*std::move(message.data)));
    if (message.end) end();
    changed_.notify();
    co_return Result<>{};
  }

  void finish() override { end(); }
  void finish(base::Error) override { end(); }

 private:
  void end() {
    if (ended_) return;
    ended_ = true;
    outputs_.push_back(exit_output(command_.exit_code));
    changed_.notify();
  }

  FakeCommand command_;
  std::deque<ExecOutput> outputs_;
  base::Notifier changed_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<base::Stream<ExecOutput, ExecInput>> make_fake_exec(base::Executor executor, FakeCommand command) {
  return std::make_unique<FakeExec>(std::move(executor), std::move(command));
}

}  // namespace orchion::node::runtimes::fake
