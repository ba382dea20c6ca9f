#pragma once

// Containers that only seem to run: for many agents in one process, on a turned clock.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/notifier.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::fake {

struct FakeOptions {
  base::Duration start_latency{0};  // by the clock
  base::Duration stop_latency{0};   // from a signal to the end of what obeys it
};

// What an imitated command does. A shell's "-c" is looked through; the first word decides: "exit N", "sleep SECONDS",
// "echo TEXT", "true", "false", "cat"; anything else runs until it is signalled. A command that begins with
// "/no/such" or is "nosuchprogram" doesn't exist. "trap" in the text means that only SIGKILL ends it.
struct FakeCommand {
  bool exists = true;
  bool ignores_signals = false;
  bool echoes_input = false;  // "cat"
  std::string output;
  std::optional<base::Duration> runs_for;  // absent: until it is signalled
  int exit_code = 0;
};

// Pure. Words after ';' count where the first command is a sleep: "sleep 1; exit 3".
FakeCommand parse_fake_command(const std::vector<std::string>& arguments);

// The machine under the runtimes: it outlives an agent, so that the next one adopts what runs. One executor.
class FakeMachine {
 public:
  struct Container {
    ContainerConfig config;
    FakeCommand command;
    ContainerInfo info;
    base::Time started;
    std::optional<base::Time> ends_at;  // by itself, or because it was signalled
    ExitStatus ending;                  // what it will be then
    std::unique_ptr<base::Notifier> changed;
    std::string said;  // by the newest attempt
    bool input_ended = false;
  };

  FakeMachine(base::Executor executor, base::Clock& clock, FakeOptions options = {})
      : executor_(std::move(executor)), clock_(clock), options_(options) {}

  // Ends a running container as if it had crashed. False where it doesn't run.
  bool crash(const std::string& id, int exit_code = 139);
  // Ends all, as the machine's end would; they stay listed as exited.
  void power_cut();
  // The next starts fail with this error until it is taken back.
  void set_start_error(std::optional<base::Error> error) { start_error_ = std::move(error); }

  std::size_t starts() const { return starts_; }  // that succeeded
  std::size_t running() const;

 private:
  friend class FakeRuntime;
  friend class FakeInput;

  // Null where there is none. Ends it first where its time has come.
  Container* find(const std::string& id);
  void settle(Container& container);
  void end(Container& container, ExitStatus status);

  base::Executor executor_;
  base::Clock& clock_;
  FakeOptions options_;
  std::map<std::string, std::shared_ptr<Container>> containers_;
  std::optional<base::Error> start_error_;
  std::int64_t next_pid_ = 1000;
  std::size_t starts_ = 0;
};

// `machine` must outlive it.
class FakeRuntime final : public Runtime {
 public:
  explicit FakeRuntime(FakeMachine& machine) : machine_(machine) {}

  Capabilities capabilities() const override;
  base::Co<> prepare(ContainerConfig config) override;
  base::Co<ContainerInfo> start(std::string id, std::uint32_t attempt) override;
  base::Co<ExitStatus> wait(std::string id) override;
  base::Co<> signal(std::string id, int signal) override;
  base::Co<> remove(std::string id, bool keep_logs) override;
  base::Co<> save_files(std::string id, std::string path, std::int64_t bytes_max, std::filesystem::path file) override;
  base::Co<std::optional<ContainerInfo>> inspect(std::string id) override;
  base::Co<std::vector<ContainerInfo>> list() override;
  base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> exec(std::string id, ExecConfig config) override;

  base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> attach(std::string id, AttachConfig config) override;

  // Nothing is written there.
  std::filesystem::path log_folder(const std::string& id) const override;

 private:
  FakeMachine& machine_;
};

}  // namespace orchion::node::runtimes::fake
