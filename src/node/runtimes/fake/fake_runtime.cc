#include "node/runtimes/fake/fake_runtime.h"

#include <csignal>

#include <fmt/core.h>

#include "base/timeout.h"
#include "node/runtimes/attach/attach_stream.h"
#include "node/runtimes/fake/fake_attach.h"
#include "node/runtimes/fake/fake_exec.h"

namespace orchion::node::runtimes::fake {

namespace {

using base::Co;
using base::Code;
using base::Result;

std::unexpected<base::Error> no_container(const std::string& id) {
  return base::fail(Code::kNotFound, fmt::format("there is no container {}", id));
}

ExitStatus killed_by(int signal) {
  return {.code = 128 + signal, .signal = signal};
}

}  // namespace

bool FakeMachine::crash(const std::string& id, int exit_code) {
  auto* container = find(id);
  if (container == nullptr || container->info.phase != ContainerPhase::kRunning) return false;
  end(*container, {.code = exit_code, .finished_at = clock_.wall()});
  return true;
}

void FakeMachine::power_cut() {
  for (const auto& [id, container] : containers_) {
    settle(*container);
    if (container->info.phase != ContainerPhase::kRunning) continue;
    auto status = killed_by(SIGKILL);
    status.finished_at = clock_.wall();
    status.reason = "the machine was restarted";
    end(*container, std::move(status));
  }
}

std::size_t FakeMachine::running() const {
  std::size_t count = 0;
  for (const auto& [id, container] : containers_) {
    const bool over = container->ends_at && *container->ends_at <= clock_.now();
    if (container->info.phase == ContainerPhase::kRunning && !over) ++count;
  }
  return count;
}

FakeMachine::Container* FakeMachine::find(const std::string& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end()) return nullptr;
  settle(*found->second);
  return found->second.get();
}

void FakeMachine::settle(Container& container) {
  if (container.info.phase != ContainerPhase::kRunning || !container.ends_at || *container.ends_at > clock_.now())
    return;
  auto status = container.ending;
  status.finished_at = clock_.wall() - (clock_.now() - *container.ends_at);
  end(container, std::move(status));
}

void FakeMachine::end(Container& container, ExitStatus status) {
  container.info.phase = ContainerPhase::kExited;
  container.info.pid = 0;
  container.info.exit = std::move(status);
  container.ends_at.reset();
  container.changed->notify();
}

Capabilities FakeRuntime::capabilities() const {
  return {.name = "fake", .version = "1", .survives_agent = true, .limits = false, .exec = true, .tty = true};
}

Co<> FakeRuntime::prepare(ContainerConfig config) {
  if (machine_.containers_.contains(config.id)) co_return Result<>{};
  auto container = std::make_shared<FakeMachine::Container>();
  container->command = parse_fake_command(config.arguments);
  container->info.id = config.id;
  container->changed = std::make_unique<base::Notifier>(machine_.executor_);
  const auto id = config.id;
  container->config = std::move(config);
  machine_.containers_.emplace(id, std::move(container));
  co_return Result<>{};
}

Co<ContainerInfo> FakeRuntime::start(std::string id, std::uint32_t attempt) {
  if (machine_.options_.start_latency > base::Duration::zero())
    CO_RETURN_IF_ERROR(co_await machine_.clock_.sleep(machine_.options_.start_latency));
  auto* container = machine_.find(id);
  if (container == nullptr)
    co_return base::fail(Code::kFailedPrecondition, fmt::format("container {} is not prepared: prepare it first", id));
  if (container->info.attempt >= attempt) co_return container->info;
  if (container->info.phase == ContainerPhase::kRunning)
    co_return base::fail(Code::kFailedPrecondition,
                         fmt::format("attempt {} of container {} still runs", container->info.attempt, id));
  if (machine_.start_error_) co_return std::unexpected(*machine_.start_error_);
  if (!container->command.exists)
    co_return base::fail(Code::kNotFound, "the command does not exist in the image: name one that does");
  auto& info = container->info;
  info.phase = ContainerPhase::kRunning;
  info.attempt = attempt;
  info.pid = machine_.next_pid_++;
  info.started_at = machine_.clock_.wall();
  info.exit.reset();
  container->said = container->command.output;
  container->input_ended = false;
  container->started = machine_.clock_.now();
  container->ending = {.code = container->command.exit_code};
  container->ends_at.reset();
  if (container->command.runs_for) container->ends_at = container->started + *container->command.runs_for;
  ++machine_.starts_;
  co_return info;
}

Co<ExitStatus> FakeRuntime::wait(std::string id) {
  while (true) {
    auto* found = machine_.find(id);
    if (found == nullptr) co_return no_container(id);
    if (found->info.exit) co_return *found->info.exit;
    if (found->info.phase == ContainerPhase::kPrepared)
      co_return base::fail(Code::kFailedPrecondition, fmt::format("container {} was never started", id));
    const auto kept = machine_.containers_.at(id);  // remove() may let go of it meanwhile
    if (!kept->ends_at) {
      CO_RETURN_IF_ERROR(co_await kept->changed->wait());
      continue;
    }
    const auto left = *kept->ends_at - machine_.clock_.now();
    const auto woken = co_await base::with_timeout(machine_.clock_, left, "the container", kept->changed->wait());
    if (!woken && woken.error().code != Code::kDeadlineExceeded) co_return std::unexpected(woken.error());
  }
}

Co<> FakeRuntime::signal(std::string id, int signal) {
  auto* container = machine_.find(id);
  if (container == nullptr) co_return no_container(id);
  if (container->info.phase != ContainerPhase::kRunning) co_return Result<>{};
  if (signal != SIGKILL && container->command.ignores_signals) co_return Result<>{};
  const auto latency = signal == SIGKILL ? base::Duration::zero() : machine_.options_.stop_latency;
  const auto end = machine_.clock_.now() + latency;
  if (container->ends_at && *container->ends_at <= end) co_return Result<>{};
  container->ending = killed_by(signal);
  container->ends_at = end;
  machine_.settle(*container);
  if (container->ends_at) container->changed->notify();  // waiters look at the new time
  co_return Result<>{};
}

Co<> FakeRuntime::remove(std::string id, bool) {
  if (auto* container = machine_.find(id)) {
    if (container->info.phase == ContainerPhase::kRunning) {
      auto status = killed_by(SIGKILL);
      status.finished_at = machine_.clock_.wall();
      machine_.end(*container, std::move(status));
    }
    container->changed->notify();
    machine_.containers_.erase(id);
  }
  co_return Result<>{};
}

Co<> FakeRuntime::save_files(std::string id, std::string path, std::int64_t, std::filesystem::path) {
  co_return base::fail(base::Code::kNotFound, fmt::format("the imitated container {} has no {}", id, path));
}

Co<std::optional<ContainerInfo>> FakeRuntime::inspect(std::string id) {
  const auto* container = machine_.find(id);
  if (container == nullptr) co_return std::optional<ContainerInfo>();
  co_return std::optional<ContainerInfo>(container->info);
}

Co<std::vector<ContainerInfo>> FakeRuntime::list() {
  std::vector<ContainerInfo> infos;
  for (const auto& [id, container] : machine_.containers_) {
    machine_.settle(*container);
    infos.push_back(container->info);
  }
  co_return infos;
}

Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> FakeRuntime::exec(std::string id, ExecConfig config) {
  const auto* container = machine_.find(id);
  if (container == nullptr) co_return no_container(id);
  if (container->info.phase != ContainerPhase::kRunning)
    co_return base::fail(Code::kFailedPrecondition, fmt::format("container {} does not run: start it first", id));
  auto command = parse_fake_command(config.arguments);
  if (!command.exists)
    co_return base::fail(Code::kNotFound, "the command does not exist in the image: name one that does");
  co_return make_fake_exec(machine_.executor_, std::move(command));
}

Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> FakeRuntime::attach(std::string id, AttachConfig config) {
  if (machine_.find(id) == nullptr) co_return no_container(id);
  const auto container = machine_.containers_.at(id);
  if (container->info.phase == ContainerPhase::kPrepared) co_return std::unexpected(attach::never_started(id));
  CO_RETURN_IF_ERROR(attach::check_input(config, container->config.stdin_open));
  attach::AttachParts parts{.output = std::make_unique<FakeOutput>(container),
                            .input = std::make_unique<FakeInput>(machine_, container),
                            .takes_input = config.stdin};
  co_return attach::make_attach_stream(machine_.executor_, std::move(parts), wait(id));
}

std::filesystem::path FakeRuntime::log_folder(const std::string& id) const {
  return std::filesystem::path("/nonexistent/fake-logs") / id;
}

}  // namespace orchion::node::runtimes::fake
