#pragma once

#include <memory>

#include "node/runtimes/attach/attach_input.h"
#include "node/runtimes/attach/attach_output.h"
#include "node/runtimes/fake/fake_runtime.h"

namespace orchion::node::runtimes::fake {

// What an imitated container has said and says.
class FakeOutput final : public attach::AttachOutput {
 public:
  explicit FakeOutput(std::shared_ptr<FakeMachine::Container> container) : container_(std::move(container)) {}

  base::Co<std::optional<ExecOutput>> next() override;
  void finish() override;

 private:
  std::shared_ptr<FakeMachine::Container> container_;
  std::size_t at_ = 0;
  bool finished_ = false;
};

// "cat" gives its input back, and ends with it.
class FakeInput final : public attach::AttachInput {
 public:
  FakeInput(FakeMachine& machine, std::shared_ptr<FakeMachine::Container> container)
      : machine_(machine), container_(std::move(container)) {}

  base::Co<> write(std::string data) override;
  base::Co<> end() override;
  base::Co<> resize(std::uint16_t columns, std::uint16_t rows) override;

 private:
  FakeMachine& machine_;
  std::shared_ptr<FakeMachine::Container> container_;
};

}  // namespace orchion::node::runtimes::fake
