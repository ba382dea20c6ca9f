// The half of EngineRuntime about what runs: starts, ends, execs.

#include <cerrno>
#include <csignal>

#include <fmt/core.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/backoff.h"
#include "base/log.h"
#include "node/runtimes/engine/engine_input.h"
#include "node/runtimes/engine/engine_runtime.h"
#include "node/runtimes/engine/exec_stream.h"
#include "node/runtimes/engine/gate_door.h"
#include "node/runtimes/engine/oom_counter.h"
#include "node/shim/gate/gate.h"

namespace orchion::node::runtimes::engine {

namespace {

namespace asio = boost::asio;
using base::Co;
using base::Code;
using base::Result;
using node::engine::ContainerState;
using node::engine::Dialect;
using node::engine::EngineClient;
using namespace std::chrono_literals;

constexpr base::Duration kGateLimit = 30s;
constexpr base::BackoffOptions kEndPauses{.first = 4ms, .longest = 500ms};
constexpr base::BackoffOptions kOutagePauses{.first = 100ms, .longest = 5s};
constexpr int kSignalMax = 64;

base::UniqueFd open_process(std::int64_t pid) {
  return base::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool is_outage(const base::Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded || error.code == Code::kInternal;
}

}  // namespace

ContainerInfo EngineRuntime::to_info(const std::string& id, const ContainerRecord& record,
                                     const std::optional<State>& state) const {
  ContainerInfo info;
  info.id = id;
  info.attempt = record.attempt;
  info.started_at = record.started_at;
  if (record.attempt == 0) return info;
  if (!record.exit && state && state->running) {
    info.phase = ContainerPhase::kRunning;
    info.pid = state->pid;
    return info;
  }
  info.phase = ContainerPhase::kExited;
  info.exit = record.exit ? record.exit : exit_of(state);
  return info;
}

ExitStatus EngineRuntime::exit_of(const std::optional<State>& state) const {
  ExitStatus exit;
  if (!state) {
    exit.code = 128 + SIGKILL;
    exit.signal = SIGKILL;
    exit.finished_at = clock_.wall();
    exit.reason = fmt::format("{} no longer has the container: somebody else removed it", client_->name());
    return exit;
  }
  exit.code = state->exit_code;
  if (exit.code > 128 && exit.code <= 128 + kSignalMax) exit.signal = exit.code - 128;
  exit.oom_killed = state->oom_killed || oom_killed_.contains(state->id);
  exit.finished_at = state->finished_at > base::WallTime() ? state->finished_at : clock_.wall();
  return exit;
}

void EngineRuntime::capture(const std::string& id) {
  const auto record = records_.find(id);
  if (record == records_.end() || record->second.attempt == 0 || record->second.exit) return;
  const auto attempt = static_cast<std::uint16_t>(record->second.attempt);
  auto& mine = captures_[id];
  if (mine && mine->attempt() == attempt) return;
  if (mine) mine->stop();
  LogCaptureTools tools{executor_, pool_, clock_, client_, watch_, version_.dialect};
  mine = LogCapture::begin(std::move(tools), record->second.engine_id, attempt, log_folder(id),
                           record->second.log_bytes_max);
}

Co<> EngineRuntime::drain(std::string id) {
  capture(id);
  const auto found = captures_.find(id);
  if (found == captures_.end()) co_return Result<>{};
  const auto mine = found->second;
  CO_RETURN_IF_ERROR(co_await mine->drain());
  if (const auto now = captures_.find(id); now != captures_.end() && now->second == mine) captures_.erase(now);
  co_return Result<>{};
}

// Bounded by the engine's own answers: it has been told to end it, or it has ended.
Co<> EngineRuntime::await_end(std::string engine_id) {
  auto random = base::Random::from_system();
  base::Backoff pauses(kEndPauses);
  for (const auto deadline = clock_.now() + kGateLimit; clock_.now() < deadline;) {
    CO_ASSIGN_OR_RETURN(const auto state, co_await client_->inspect_container(engine_id));
    if (!state || !state->running) co_return Result<>{};
    CO_RETURN_IF_ERROR(co_await clock_.sleep(pauses.next(random)));
  }
  co_return base::fail(Code::kDeadlineExceeded,
                       fmt::format("{} does not end container {}: see its log", client_->name(), engine_id));
}

Co<ExitStatus> EngineRuntime::settle_exit(std::string id, std::optional<State> state) {
  const auto exit = exit_of(state);
  CO_RETURN_IF_ERROR(co_await drain(id));
  CO_ASSIGN_OR_RETURN(const auto* mine, find_record(id));
  auto record = *mine;
  if (record.exit) co_return *record.exit;  // another waiter was first
  record.exit = exit;
  if (record.takes_fifo()) CO_RETURN_IF_ERROR(co_await end_input(id));
  CO_RETURN_IF_ERROR(co_await save(id, std::move(record)));
  co_return exit;
}

// Resumes when the process has ended. That it is still the container's is asked once more after it is held fast.
Co<> EngineRuntime::wait_for_process(std::int64_t pid, std::string engine_id) {
  auto process = open_process(pid);
  if (!process) co_return Result<>{};
  count_kills(engine_id, pid);
  CO_ASSIGN_OR_RETURN(const auto state, co_await client_->inspect_container(engine_id));
  if (!state || !state->running || state->pid != pid) co_return Result<>{};
  asio::posix::stream_descriptor descriptor(executor_, process.release());
  boost::system::error_code failed;
  co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                 asio::redirect_error(asio::use_awaitable, failed));
  if (failed) co_return base::fail(Code::kCancelled, "the wait was interrupted");
  const auto counter = kills_.find(engine_id);
  if (counter != kills_.end() && counter->second.any()) oom_killed_.insert(engine_id);
  co_return Result<>{};
}

// Podman's own count is wrong; Docker's isn't.
void EngineRuntime::count_kills(const std::string& engine_id, std::int64_t pid) {
  if (version_.dialect == Dialect::kPodman && !kills_.contains(engine_id))
    kills_.emplace(engine_id, OomCounter::of(pid));
}

Co<std::optional<ExitStatus>> EngineRuntime::look_for_end(std::string id) {
  CO_ASSIGN_OR_RETURN(const auto* found, find_record(id));
  const auto record = *found;
  if (record.exit) co_return record.exit;
  if (record.attempt == 0)
    co_return base::fail(Code::kFailedPrecondition, fmt::format("container {} was never started", id));
  capture(id);
  CO_ASSIGN_OR_RETURN(auto state, co_await client_->inspect_container(record.engine_id));
  // It may have ended before anybody waited.
  const auto counter = kills_.find(record.engine_id);
  if (counter != kills_.end() && counter->second.any()) oom_killed_.insert(record.engine_id);
  if (state && state->running) {
    CO_RETURN_IF_ERROR(co_await wait_for_process(state->pid, record.engine_id));
    co_return std::optional<ExitStatus>();
  }
  CO_ASSIGN_OR_RETURN(auto exit, co_await settle_exit(id, std::move(state)));
  co_return std::optional<ExitStatus>(std::move(exit));
}

// The process itself is waited for, and the engine only asked what came of it: so that it may be restarted meanwhile.
Co<ExitStatus> EngineRuntime::wait(std::string id) {
  auto random = base::Random::from_system();
  base::Backoff ends(kEndPauses), outages(kOutagePauses);
  while (true) {
    auto exit = co_await look_for_end(id);
    if (exit && *exit) co_return **std::move(exit);
    if (!exit && !is_outage(exit.error())) co_return std::unexpected(std::move(exit).error());
    if (exit) outages.reset();
    // Dead, but the engine hasn't noticed; or it doesn't answer.
    CO_RETURN_IF_ERROR(co_await clock_.sleep(exit ? ends.next(random) : outages.next(random)));
  }
}

Co<ContainerInfo> EngineRuntime::start(std::string id, std::uint32_t attempt) {
  if (!records_.contains(id))
    co_return base::fail(Code::kFailedPrecondition, fmt::format("container {} is not prepared: prepare it first", id));
  if (records_[id].attempt < attempt) {
    CO_RETURN_IF_ERROR(co_await settle_before(id, attempt));
    CO_ASSIGN_OR_RETURN(const bool running, co_await was_begun(id, attempt));
    if (!running) co_return co_await pass_gate(id, attempt);
  }
  CO_ASSIGN_OR_RETURN(auto info, co_await inspect(id));
  if (info) co_return *std::move(info);
  co_return base::fail(Code::kNotFound, fmt::format("container {} was removed while it started", id));
}

// The attempt before this one has ended, and how is noted.
Co<> EngineRuntime::settle_before(std::string id, std::uint32_t attempt) {
  CO_ASSIGN_OR_RETURN(const auto* found, find_record(id));
  const auto record = *found;
  if (record.attempt == 0 || record.exit) co_return Result<>{};
  CO_ASSIGN_OR_RETURN(auto state, co_await client_->inspect_container(record.engine_id));
  if (state && state->running)
    co_return base::fail(Code::kFailedPrecondition,
                         fmt::format("attempt {} of container {} still runs: stop it before it is started anew as {}",
                                     record.attempt, id, attempt));
  CO_RETURN_IF_ERROR(co_await settle_exit(id, std::move(state)));
  co_return Result<>{};
}

// A process before this one may have ended in the midst of this very start, with its program running by now, or over.
Co<bool> EngineRuntime::was_begun(std::string id, std::uint32_t attempt) {
  CO_ASSIGN_OR_RETURN(const auto* found, find_record(id));
  const auto record = *found;
  if (record.starting != attempt) co_return false;
  CO_ASSIGN_OR_RETURN(const auto state, co_await client_->inspect_container(record.engine_id));
  if (!state || state->started_at < record.starting_since) co_return false;
  if (state->running ? is_waiting_gate(state->pid) : state->exit_code == shim::kGateExitLeft) co_return false;
  CO_RETURN_IF_ERROR(co_await note_start(id, attempt, state->started_at));
  co_return true;
}

Co<> EngineRuntime::note_start(std::string id, std::uint32_t attempt, base::WallTime at) {
  CO_ASSIGN_OR_RETURN(const auto* found, find_record(id));
  auto record = *found;
  record.attempt = attempt;
  record.starting = 0;
  record.started_at = at;
  record.exit.reset();
  CO_RETURN_IF_ERROR(co_await save(id, std::move(record)));
  capture(id);
  co_return Result<>{};
}

Co<ContainerInfo> EngineRuntime::pass_gate(std::string id, std::uint32_t attempt) {
  CO_ASSIGN_OR_RETURN(const auto* found, find_record(id));
  auto record = *found;
  record.starting = attempt;
  record.starting_since = clock_.wall();
  CO_RETURN_IF_ERROR(co_await save(id, record));
  auto passed = co_await run_program(id, record);
  if (!passed) {
    const auto undone = co_await fail_start(id);
    if (!undone) base::log::warn("container {} is left half started: {}", id, undone.error().message);
    co_return std::unexpected(std::move(passed).error());
  }
  CO_RETURN_IF_ERROR(co_await note_start(id, attempt, passed->at));
  ContainerInfo info;
  info.id = id;
  info.phase = ContainerPhase::kRunning;
  info.attempt = attempt;
  info.pid = passed->pid;
  info.started_at = passed->at;
  co_return info;
}

Co<EngineRuntime::Running> EngineRuntime::run_program(std::string id, ContainerRecord record) {
  CO_ASSIGN_OR_RETURN(const auto door, GateDoor::open(executor_, gate_folder(id), shim::kGateSocket));
  if (record.takes_fifo()) {
    auto hold = [gate = gate_program(), folder = gate_folder(id)] { return hold_input(gate, folder); };
    CO_RETURN_IF_ERROR(co_await pool_.run(std::move(hold)));
  }
  CO_RETURN_IF_ERROR(co_await feed_new(id, record, record.starting));
  CO_ASSIGN_OR_RETURN(const auto started, co_await client_->start_container(record.engine_id));
  if (started == EngineClient::Started::kRanAlready) {
    CO_ASSIGN_OR_RETURN(const auto state, co_await client_->inspect_container(record.engine_id));
    if (state && state->running && !is_waiting_gate(state->pid))
      co_return base::fail(Code::kFailedPrecondition,
                           fmt::format("container {} runs, but orchion did not start it: it is ended", name_of(id)));
  }
  CO_ASSIGN_OR_RETURN(const auto gate, co_await door->accept(clock_, kGateLimit));
  if (version_.dialect == Dialect::kDocker && options_.wire) CO_RETURN_IF_ERROR(co_await wire(id, gate->pid()));
  kills_.erase(record.engine_id);
  oom_killed_.erase(record.engine_id);
  count_kills(record.engine_id, gate->pid());
  const Running running{gate->pid(), clock_.wall()};
  CO_RETURN_IF_ERROR(co_await gate->go(clock_, kGateLimit, record.program));
  co_return running;
}

// Where the container has a network of its own.
Co<> EngineRuntime::wire(std::string id, std::int64_t pid) {
  const auto path = fmt::format("/proc/{}/ns/net", pid);
  std::error_code failed;
  const bool of_host = std::filesystem::equivalent(path, "/proc/self/ns/net", failed);
  if (failed) co_return base::fail(Code::kAborted, "the container ended before its network was wired");
  if (of_host) co_return Result<>{};
  co_return co_await options_.wire(std::move(id), path);
}

// Back to prepared; also what a start in another process left halfway.
Co<> EngineRuntime::fail_start(std::string id) {
  CO_ASSIGN_OR_RETURN(const auto* found, find_record(id));
  auto record = *found;
  drop_feed(id);
  if (record.takes_fifo()) CO_RETURN_IF_ERROR(co_await end_input(id));
  CO_RETURN_IF_ERROR(co_await client_->kill_container(record.engine_id, SIGKILL));
  CO_RETURN_IF_ERROR(co_await await_end(record.engine_id));
  record.starting = 0;
  co_return co_await save(id, std::move(record));
}

Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> EngineRuntime::exec(std::string id, ExecConfig config) {
  CO_ASSIGN_OR_RETURN(const auto* found, find_record(id));
  const auto record = *found;
  if (record.attempt == 0 || record.exit)
    co_return base::fail(Code::kFailedPrecondition, fmt::format("container {} does not run: start it first", id));
  if (config.arguments.empty()) co_return base::fail(Code::kInvalidArgument, "name the command to run");
  const auto socket = fmt::format("exec-{}-{}", ::getpid(), ++execs_);
  const std::string gate_folder_inside = shim::kGateFolder;
  node::engine::ExecRequest request{.environment = config.environment,
                                    .user = config.user,
                                    .working_dir = config.working_dir,
                                    .tty = config.tty,
                                    .stdin = config.stdin};
  request.arguments = {gate_folder_inside + "/" + shim::kGateProgram, shim::kGateRun,
                       gate_folder_inside + "/" + socket};
  request.arguments.insert(request.arguments.end(), config.arguments.begin(), config.arguments.end());
  CO_ASSIGN_OR_RETURN(const auto door, GateDoor::open(executor_, gate_folder(id), socket));
  RunningExec exec;
  exec.tty = config.tty;
  CO_ASSIGN_OR_RETURN(exec.id, co_await client_->create_exec(record.engine_id, std::move(request)));
  CO_ASSIGN_OR_RETURN(exec.stream, co_await client_->start_exec(exec.id, config.tty));
  CO_ASSIGN_OR_RETURN(const auto gate, co_await door->accept(clock_, kGateLimit));
  exec.process = open_process(gate->pid());
  if (config.tty) CO_RETURN_IF_ERROR(co_await client_->resize_exec(exec.id, config.columns, config.rows));
  CO_RETURN_IF_ERROR(co_await gate->go(clock_, kGateLimit, config.arguments.front()));
  co_return make_exec_stream(client_, clock_, std::move(exec));
}

}  // namespace orchion::node::runtimes::engine
