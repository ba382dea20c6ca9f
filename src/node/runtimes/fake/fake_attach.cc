#include "node/runtimes/fake/fake_attach.h"

namespace orchion::node::runtimes::fake {

using base::Co;
using base::Result;

Co<std::optional<ExecOutput>> FakeOutput::next() {
  const auto container = container_;
  while (at_ == container->said.size()) {
    if (finished_) co_return std::optional<ExecOutput>();
    CO_RETURN_IF_ERROR(co_await container->changed->wait());
  }
  ExecOutput output;
  output.out = container->said.substr(at_);
  at_ = container->said.size();
  co_return std::optional<ExecOutput>(std::move(output));
}

void FakeOutput::finish() {
  finished_ = true;
  container_->changed->notify();
}

Co<> FakeInput::write(std::string data) {
  const bool taken = container_->info.phase == ContainerPhase::kRunning && container_->command.echoes_input;
  if (!taken || container_->input_ended) co_return Result<>{};
  container_->said += data;
  container_->changed->notify();
  co_return Result<>{};
}

Co<> FakeInput::end() {
  container_->input_ended = true;
  if (container_->info.phase == ContainerPhase::kRunning && container_->command.echoes_input)
    machine_.end(*container_, {.code = container_->command.exit_code, .finished_at = machine_.clock_.wall()});
  co_return Result<>{};
}

Co<> FakeInput::resize(std::uint16_t, std::uint16_t) {
  co_return Result<>{};
}

}  // namespace orchion::node::runtimes::fake
