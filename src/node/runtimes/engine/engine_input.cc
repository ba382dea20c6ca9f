#include "node/runtimes/engine/engine_input.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/shim/gate/gate.h"
#include "node/shim/input_pipe.h"

namespace orchion::node::runtimes::engine {

namespace {

using base::Co;
using base::Code;
using base::Result;
using node::engine::EngineClient;

class EngineTerminalInput final : public attach::AttachInput {
 public:
  EngineTerminalInput(std::shared_ptr<EngineClient> client, std::string engine_id)
      : client_(std::move(client)), engine_id_(std::move(engine_id)) {}

  Co<> write(std::string data) override {
    if (!stream_) {
      CO_ASSIGN_OR_RETURN(stream_, co_await client_->attach_container(engine_id_, EngineClient::Attached::kInput));
    }
    const auto written = co_await stream_->write(std::move(data));
    if (!written && written.error().code == Code::kCancelled) co_return std::unexpected(written.error());
    co_return Result<>{};
  }

  Co<> end() override { co_return co_await write(std::string(1, attach::kEndOfTransmission)); }

  Co<> resize(std::uint16_t columns, std::uint16_t rows) override {
    co_return co_await client_->resize_container(engine_id_, columns, rows);
  }

 private:
  std::shared_ptr<EngineClient> client_;
  std::string engine_id_;
  std::unique_ptr<wire::RawStream> stream_;
};

// Its exit code; −1 and errno where it could not be run. Nothing of ours is open in it.
int run_program(const std::filesystem::path& program, const char* mode, const std::filesystem::path& folder) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  std::string words[] = {program.string(), mode, folder.string()};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &files, nullptr, arguments, environment);
  posix_spawn_file_actions_destroy(&files);
  errno = failed;
  if (failed != 0) return -1;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

std::unique_ptr<attach::AttachInput> open_engine_terminal(std::shared_ptr<EngineClient> client, std::string engine_id) {
  return std::make_unique<EngineTerminalInput>(std::move(client), std::move(engine_id));
}

Result<> hold_input(const std::filesystem::path& gate, const std::filesystem::path& folder) {
  RETURN_IF_ERROR(attach::end_pipe_input(folder));
  const base::UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return base::fail_errno(errno, fmt::format("cannot open {}", folder.string()));
  if (const int failed = shim::make_input_fifos(directory.get()); failed != 0)
    return base::fail_errno(failed, "cannot make the container's input");
  const int code = run_program(gate, shim::kGateHold, folder);
  if (code < 0) return base::fail_errno(errno, fmt::format("cannot run {}", gate.string()));
  if (code > 0) return base::fail(Code::kInternal, "the container's input cannot be kept open");
  return {};
}

}  // namespace orchion::node::runtimes::engine
