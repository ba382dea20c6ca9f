#include "node/runtimes/containerd/containerd_input.h"

namespace orchion::node::runtimes::containerd {

namespace {

using base::Co;

class ContainerdTerminalInput final : public attach::AttachInput {
 public:
  ContainerdTerminalInput(std::shared_ptr<ContainerdClient> client, std::string id,
                          std::unique_ptr<attach::AttachInput> pipe)
      : client_(std::move(client)), id_(std::move(id)), pipe_(std::move(pipe)) {}

  Co<> write(std::string data) override { co_return co_await pipe_->write(std::move(data)); }
  Co<> end() override { co_return co_await pipe_->write(std::string(1, attach::kEndOfTransmission)); }
  Co<> resize(std::uint16_t columns, std::uint16_t rows) override {
    co_return co_await client_->resize(id_, "", columns, rows);
  }

 private:
  std::shared_ptr<ContainerdClient> client_;
  std::string id_;
  std::unique_ptr<attach::AttachInput> pipe_;
};

}  // namespace

std::unique_ptr<attach::AttachInput> make_input(std::shared_ptr<ContainerdClient> client, std::string id,
                                                std::filesystem::path bundle, bool tty) {
  auto pipe = attach::open_pipe_input(client->executor(), std::move(bundle));
  if (!tty) return pipe;
  return std::make_unique<ContainerdTerminalInput>(std::move(client), std::move(id), std::move(pipe));
}

}  // namespace orchion::node::runtimes::containerd
