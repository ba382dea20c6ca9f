#include "node/runtimes/containerd/container_end.h"

#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <fmt/core.h>

#include "base/clock.h"
#include "node/runtimes/bundle/file_lock.h"
#include "node/shim/bundle.h"
#include "node/shim/cgroup_files.h"
#include "node/shim/input_pipe.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::containerd {

namespace {

using base::Code;
using base::Result;

constexpr std::chrono::seconds kLoggerPatience{20};
constexpr int kSignalBase = 128;

// Its group is there until containerd forgets the task.
bool oom_killed(const bundle::BundleStore& store, const std::string& id) {
  const auto settings = base::read_file(store.bundle(id) / shim::kSettingsFile).value_or("");
  const auto path = shim::find_text(settings, shim::setting::kMemoryEvents);
  return !path.empty() && shim::oom_kills(base::read_file(std::string(path)).value_or("")) > 0;
}

ExitStatus status_of(const Task& task) {
  ExitStatus status;
  status.code = static_cast<int>(task.exit_status());
  status.signal = status.code > kSignalBase && status.code < kSignalBase + NSIG ? status.code - kSignalBase : 0;
  status.finished_at = base::WallTime(std::chrono::seconds(task.exited_at().seconds()) +
                                      std::chrono::nanoseconds(task.exited_at().nanos()));
  return status;
}

}  // namespace

Result<StartPlan> read_start_plan(const bundle::BundleStore& store, const std::filesystem::path& shim,
                                  const std::string& id, std::uint32_t attempt) {
  const auto folder = store.bundle(id);
  StartPlan plan{.id = id, .attempt = attempt, .bundle = folder, .shim = shim};
  ASSIGN_OR_RETURN(const auto settings, base::read_file(folder / shim::kSettingsFile));
  ASSIGN_OR_RETURN(plan.config_json, base::read_file(folder / shim::kConfigFile));
  plan.oci_runtime = shim::find_text(settings, shim::setting::kRuntime);
  plan.tty = shim::find_number(settings, shim::setting::kTty, 0) != 0;
  plan.stdin_open = shim::find_number(settings, shim::setting::kStdinOpen, 0) != 0;
  if (plan.stdin_open) {
    const base::UniqueFd bundle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (const int failed = shim::make_input_fifos(bundle.get()); failed != 0)
      return base::fail_errno(failed, fmt::format("cannot make the input of container {}", id));
  }
  const auto layers = shim::find_number(settings, shim::setting::kLayers, 0);
  for (std::int64_t i = 0; i < layers; ++i) {
    std::error_code error;
    plan.layers.push_back(std::filesystem::read_symlink(folder / shim::kLayersFolder / std::to_string(i), error));
    if (error) return base::fail_errno(error.value(), fmt::format("cannot read layer {} of container {}", i, id));
  }
  return plan;
}

Result<bundle::BundleState> write_end(const bundle::BundleStore& store, const std::string& id,
                                      const std::optional<Task>& task) {
  ASSIGN_OR_RETURN(auto state, store.read(id));
  if (!state || !state->started)
    return base::fail(Code::kNotFound, fmt::format("container {} was removed while it ended", id));
  if (state->ended()) return *std::move(state);
  bundle::ExitRecord record{.attempt = state->started->attempt, .status = {}};
  if (task) {
    record.status = status_of(*task);
    record.status.oom_killed = oom_killed(store, id);
  } else {
    record.status = {.code = kSignalBase + SIGKILL,
                     .signal = SIGKILL,
                     .oom_killed = false,
                     .finished_at = base::SystemClock().wall(),
                     .reason = state->started->boot_id == bundle::this_boot()
                                   ? "containerd knows it no more: its shim was killed, or somebody deleted it there"
                                   : "the machine was restarted"};
  }
  RETURN_IF_ERROR(bundle::write_exit_record(store.bundle(id), record));
  state->exited = std::move(record);
  return *std::move(state);
}

Result<> wait_for_logger(const bundle::BundleStore& store, const std::string& id) {
  ASSIGN_OR_RETURN(const auto locked, bundle::lock_file(store.bundle(id) / shim::kLockFile, kLoggerPatience));
  return {};
}

}  // namespace orchion::node::runtimes::containerd
