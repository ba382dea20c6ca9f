#include "node/runtimes/containerd/containerd_runtime.h"

#include <chrono>
#include <csignal>

#include <fmt/core.h>

#include "node/runtimes/bundle/attachment.h"
#include "node/runtimes/bundle/ended_root.h"
#include "node/runtimes/bundle/process_handle.h"
#include "node/runtimes/containerd/container_end.h"
#include "node/runtimes/containerd/containerd_exec.h"
#include "node/runtimes/containerd/containerd_input.h"
#include "node/runtimes/containerd/task_requests.h"
#include "node/shim/process_identity.h"

namespace orchion::node::runtimes::containerd {

namespace {

using base::Co;
using base::Code;
using base::Result;
using bundle::BundleState;

constexpr base::Duration kRetryAfter = std::chrono::milliseconds(200);
constexpr base::Duration kEndLimit = std::chrono::seconds(20);  // of a killed process

base::Error no_container(const std::string& id) {
  return {Code::kNotFound, fmt::format("there is no container {}", id), {}};
}

// The process itself, whatever containerd says or doesn't.
bool lives(const BundleState& state) {
  return state.started && state.started->process.start != 0 && state.started->boot_id == bundle::this_boot() &&
         shim::process_start(state.started->process.pid) == state.started->process.start;
}

bool runs(const Task& task, const BundleState& state) {
  switch (task.status()) {
    case ::containerd::v1::types::CREATED:
    case ::containerd::v1::types::RUNNING:
    case ::containerd::v1::types::PAUSED:
    case ::containerd::v1::types::PAUSING: return true;
    case ::containerd::v1::types::UNKNOWN: return lives(state);
    default: return false;
  }
}

// Of a wait: trying again is no use.
bool is_final(const base::Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kCancelled || error.code == Code::kDataLoss ||
         error.code == Code::kPermissionDenied || error.code == Code::kInvalidArgument;
}

// What is wrong with a start: the container, or containerd.
base::Error start_error(const bundle::BundleStore& store, const base::Error& error) {
  if (error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded || error.code == Code::kCancelled)
    return error;
  return store.maker().start_failure(error.message);
}

}  // namespace

ContainerdRuntime::ContainerdRuntime(base::WorkerPool& pool, std::shared_ptr<bundle::BundleStore> store,
                                     std::filesystem::path shim, std::shared_ptr<ContainerdClient> client)
    : pool_(pool),
      store_(std::move(store)),
      shim_(std::move(shim)),
      client_(std::move(client)),
      locks_(client_->executor()) {}

Capabilities ContainerdRuntime::capabilities() const {
  return store_->maker().capabilities();
}

Co<> ContainerdRuntime::prepare(ContainerConfig config) {
  auto job = [store = store_, config = std::move(config)] { return store->prepare(config); };
  co_return co_await pool_.run(std::move(job));
}

Co<std::optional<BundleState>> ContainerdRuntime::read(std::string id) {
  auto job = [store = store_, id] { return store->read(id); };
  co_return co_await pool_.run(std::move(job));
}

Co<ContainerInfo> ContainerdRuntime::start(std::string id, std::uint32_t attempt) {
  CO_ASSIGN_OR_RETURN(const auto found, co_await read(id));
  if (!found || !found->whole)
    co_return base::fail(Code::kFailedPrecondition, fmt::format("container {} is not prepared: prepare it first", id));
  CO_ASSIGN_OR_RETURN(const auto held, co_await locks_.take(id));
  CO_ASSIGN_OR_RETURN(auto state, co_await settle(id));
  if (state.started && state.started->attempt >= attempt) co_return to_info(id, state);
  if (state.started && !state.ended())
    co_return base::fail(Code::kFailedPrecondition,
                         fmt::format("attempt {} of container {} still runs: stop it before it is started anew",
                                     state.started->attempt, id));
  CO_ASSIGN_OR_RETURN(const bool adopted, co_await adopt(id, attempt));
  if (!adopted) {
    CO_RETURN_IF_ERROR(co_await discard(id));
    if (const auto run = co_await run_task(id, attempt); !run) {
      [[maybe_unused]] const auto discarded = co_await discard(id);
      co_return std::unexpected(start_error(*store_, run.error()));
    }
  }
  CO_ASSIGN_OR_RETURN(const auto now, co_await read(id));
  if (!now) co_return std::unexpected(no_container(id));
  co_return to_info(id, *now);
}

Co<bool> ContainerdRuntime::adopt(std::string id, std::uint32_t attempt) {
  CO_ASSIGN_OR_RETURN(const auto container, co_await client_->find_container(id));
  if (!container || attempt_of(*container) != attempt) co_return false;
  CO_ASSIGN_OR_RETURN(const auto task, co_await client_->find_task(id));
  if (!task || task->status() != ::containerd::v1::types::RUNNING) co_return false;
  CO_RETURN_IF_ERROR(co_await record_start(id, attempt, task->pid()));
  co_return true;
}

Co<> ContainerdRuntime::run_task(std::string id, std::uint32_t attempt) {
  auto look = [store = store_, shim = shim_, id, attempt] { return read_start_plan(*store, shim, id, attempt); };
  CO_ASSIGN_OR_RETURN(const auto plan, co_await pool_.run(std::move(look)));
  CO_RETURN_IF_ERROR(co_await client_->make_namespace());
  CO_RETURN_IF_ERROR(co_await client_->create_container(container_of(plan)));
  CO_RETURN_IF_ERROR(co_await client_->create_task(task_of(plan)));
  CO_ASSIGN_OR_RETURN(const auto pid, co_await client_->start(id, ""));
  co_return co_await record_start(id, attempt, pid);
}

Co<> ContainerdRuntime::record_start(std::string id, std::uint32_t attempt, std::int64_t pid) {
  // Where it has ended since, its start time is 0, which no process has.
  bundle::StartRecord record{.attempt = attempt,
                             .process = {pid, shim::process_start(pid)},
                             .shim = {},
                             .boot_id = bundle::this_boot(),
                             .started_at = clock_.wall()};
  auto job = [folder = store_->bundle(id), record] { return bundle::write_start_record(folder, record); };
  co_return co_await pool_.run(std::move(job));
}

Co<BundleState> ContainerdRuntime::settle(std::string id) {
  CO_ASSIGN_OR_RETURN(auto state, co_await read(id));
  if (!state) co_return std::unexpected(no_container(id));
  if (!state->started || state->ended()) co_return *std::move(state);
  auto task = co_await client_->find_task(id);
  if (!task && lives(*state)) co_return *std::move(state);  // containerd is down, and its shim keeps it
  if (!task) co_return std::unexpected(task.error());
  if (*task && runs(**task, *state)) co_return *std::move(state);
  if (*task && (*task)->status() != ::containerd::v1::types::STOPPED) task->reset();  // nobody knows how it ended
  co_return co_await record_end(id, *std::move(task));
}

Co<BundleState> ContainerdRuntime::record_end(std::string id, std::optional<Task> task) {
  auto job = [store = store_, id, task = std::move(task)] { return write_end(*store, id, task); };
  CO_ASSIGN_OR_RETURN(auto state, co_await pool_.run(std::move(job)));
  // Where these fail the next start or the removal tries again.
  if (const auto deleted = co_await client_->delete_task(id); deleted) {
    auto logged = [store = store_, id] { return wait_for_logger(*store, id); };
    [[maybe_unused]] const auto whole = co_await pool_.run(std::move(logged));
  }
  co_return state;
}

// Its bundle holds what every runtime's does.
Co<> ContainerdRuntime::save_files(std::string id, std::string path, std::int64_t bytes_max,
                                   std::filesystem::path file) {
  auto job = [store = store_, id, path, bytes_max, file]() -> Result<> {
    return bundle::save_files(store->bundle(id), path, bytes_max, file);
  };
  co_return co_await pool_.run(std::move(job));
}

Co<> ContainerdRuntime::discard(std::string id) {
  CO_ASSIGN_OR_RETURN(const auto task, co_await client_->find_task(id));
  if (task && task->status() != ::containerd::v1::types::STOPPED) {
    CO_RETURN_IF_ERROR(co_await client_->kill(id, "", /*all=*/true));
    [[maybe_unused]] const auto ended = co_await client_->wait(id, "", kEndLimit);
  }
  if (task) CO_RETURN_IF_ERROR(co_await client_->delete_task(id));
  co_return co_await client_->delete_container(id);
}

Co<ExitStatus> ContainerdRuntime::wait(std::string id) {
  while (true) {
    {
      CO_ASSIGN_OR_RETURN(const auto held, co_await locks_.take(id));
      const auto state = co_await settle(id);
      if (state && !state->started)
        co_return base::fail(Code::kFailedPrecondition, fmt::format("container {} was never started", id));
      if (state && state->ended()) co_return state->exited->status;
      if (!state && is_final(state.error())) co_return std::unexpected(state.error());
    }
    // containerd and its shims end and come back, or don't: what has become of the container the next look tells.
    const auto end = co_await client_->wait(id, "");
    if (end || end.error().code == Code::kNotFound) continue;
    if (is_final(end.error())) co_return std::unexpected(end.error());
    CO_RETURN_IF_ERROR(co_await clock_.sleep(kRetryAfter));
  }
}

Co<> ContainerdRuntime::signal(std::string id, int signal) {
  CO_ASSIGN_OR_RETURN(const auto state, co_await read(id));
  if (!state) co_return std::unexpected(no_container(id));
  if (!state->started || state->ended() || !lives(*state)) co_return Result<>{};
  auto job = [process = state->started->process, signal] {
    return bundle::signal_process(bundle::open_process(process), signal);
  };
  co_return co_await pool_.run(std::move(job));
}

Co<> ContainerdRuntime::remove(std::string id, bool keep_logs) {
  CO_ASSIGN_OR_RETURN(const auto held, co_await locks_.take(id));
  CO_ASSIGN_OR_RETURN(const auto state, co_await read(id));
  if (state) CO_RETURN_IF_ERROR(co_await discard(id));
  auto job = [store = store_, id, keep_logs] { return store->remove(id, keep_logs); };
  CO_RETURN_IF_ERROR(co_await pool_.run(std::move(job)));
  auto rest = [store = store_] { return store->ids(); };
  CO_ASSIGN_OR_RETURN(const auto others, co_await pool_.run(std::move(rest)));
  if (state && others.empty()) co_return co_await client_->remove_namespace();
  co_return Result<>{};
}

Co<std::optional<ContainerInfo>> ContainerdRuntime::inspect(std::string id) {
  CO_ASSIGN_OR_RETURN(auto state, co_await read(id));
  if (!state) co_return std::optional<ContainerInfo>();
  if (state->started && !state->ended()) {
    CO_ASSIGN_OR_RETURN(const auto held, co_await locks_.take(id));
    CO_ASSIGN_OR_RETURN(state, co_await settle(id));
  }
  co_return std::optional<ContainerInfo>(to_info(id, *state));
}

Co<std::vector<ContainerInfo>> ContainerdRuntime::list() {
  auto names = [store = store_] { return store->ids(); };
  CO_ASSIGN_OR_RETURN(const auto ids, co_await pool_.run(std::move(names)));
  std::vector<ContainerInfo> infos;
  for (const auto& id : ids) {
    CO_ASSIGN_OR_RETURN(auto info, co_await inspect(id));
    if (info) infos.push_back(*std::move(info));
  }
  co_return infos;
}

Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> ContainerdRuntime::exec(std::string id, ExecConfig config) {
  CO_ASSIGN_OR_RETURN(const auto info, co_await inspect(id));
  if (!info) co_return std::unexpected(no_container(id));
  if (info->phase != ContainerPhase::kRunning)
    co_return base::fail(Code::kFailedPrecondition, fmt::format("container {} does not run: start it first", id));
  if (config.arguments.empty())
    co_return base::fail(Code::kInvalidArgument, "there is no command to run: name one after --");
  auto begin = [store = store_, id, pid = info->pid, config] { return prepare_exec(*store, id, pid, config); };
  CO_ASSIGN_OR_RETURN(auto prepared, co_await pool_.run(std::move(begin)));
  auto tidy = [folder = prepared.descriptors.folder] { return base::remove_tree(folder); };
  auto stream = co_await start_exec(client_, std::move(prepared));
  CO_RETURN_IF_ERROR(co_await pool_.run(std::move(tidy)));
  if (!stream) co_return std::unexpected(start_error(*store_, stream.error()));
  co_return *std::move(stream);
}

Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> ContainerdRuntime::attach(std::string id,
                                                                                   AttachConfig config) {
  auto look = [store = store_, id, config] { return bundle::find_attachment(*store, id, config); };
  CO_ASSIGN_OR_RETURN(auto found, co_await pool_.run(std::move(look)));
  if (found.runs) found.parts.input = make_input(client_, id, store_->bundle(id), found.tty);
  co_return co_await bundle::begin_attachment(client_->executor(), store_->log_folder(id), std::move(found), config,
                                              wait(id));
}

std::filesystem::path ContainerdRuntime::log_folder(const std::string& id) const {
  return store_->log_folder(id);
}

}  // namespace orchion::node::runtimes::containerd
