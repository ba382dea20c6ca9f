#include "node/runtimes/bundle/bundle_store.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fmt/core.h>
#include <unistd.h>

#include "node/runtimes/bundle/exit_watch.h"
#include "node/runtimes/bundle/file_lock.h"
#include "node/runtimes/bundle/process_handle.h"
#include "node/runtimes/memory_files.h"
#include "node/shim/bundle.h"
#include "node/shim/cgroup_files.h"
#include "node/shim/process_identity.h"

namespace orchion::node::runtimes::bundle {

namespace {

using base::Code;
using base::Result;
using base::UniqueFd;

// How long a start, or the end of a killed process, may take before the machine is called stuck.
constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(20);

constexpr char kMountsFolder[] = "mounts";

}  // namespace

ContainerInfo to_info(const std::string& id, const BundleState& state) {
  ContainerInfo info;
  info.id = id;
  if (!state.started) return info;
  info.attempt = state.started->attempt;
  info.started_at = state.started->started_at;
  if (state.ended()) {
    info.phase = ContainerPhase::kExited;
    info.exit = state.exited->status;
  } else {
    info.phase = ContainerPhase::kRunning;
    info.pid = state.started->process.pid;
  }
  return info;
}

BundleStore::BundleStore(BundleOptions options, CgroupLayout cgroups, std::unique_ptr<BundleMaker> maker)
    : options_(std::move(options)),
      cgroups_(std::move(cgroups)),
      maker_(std::move(maker)),
      runtime_root_(options_.state_folder / maker_->capabilities().name) {}

BundlePlace BundleStore::place(const std::string& id) const {
  return {.id = id,
          .folder = bundle(id),
          .files = options_.state_folder / "files" / id,
          .mounts = options_.state_folder / kMountsFolder,
          .shims = options_.data_folder / "shim",
          .runtime_root = runtime_root_,
          .cgroup = cgroup(id)};
}

Result<std::optional<BundleState>> BundleStore::read(const std::string& id) const {
  RETURN_IF_ERROR(check_container_id(id));
  const auto folder = bundle(id);
  if (::access(folder.c_str(), F_OK) != 0) return std::optional<BundleState>();
  BundleState state;
  state.whole = shim::is_whole_settings(base::read_file(folder / shim::kSettingsFile).value_or(""));
  ASSIGN_OR_RETURN(state.started, read_start_record(folder));
  // Life before exit: a shim that ends in between has left its record by then.
  state.shim_alive = state.started && state.started->boot_id == this_boot() &&
                     shim::process_start(state.started->shim.pid) == state.started->shim.start;
  ASSIGN_OR_RETURN(state.exited, read_exit_record(folder));
  return std::optional<BundleState>(std::move(state));
}

Result<std::vector<std::string>> BundleStore::ids() const {
  std::vector<std::string> result;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.data_folder / "containers", error))
    result.push_back(entry.path().filename().string());
  if (error && error != std::errc::no_such_file_or_directory)
    return base::fail_errno(error.value(), "cannot list the containers");
  std::sort(result.begin(), result.end());
  return result;
}

Result<UniqueFd> BundleStore::lock(const std::string& id) const {
  auto locked = lock_file(bundle(id) / shim::kLockFile, kPatience);
  if (locked || locked.error().code != Code::kDeadlineExceeded) return locked;
  return base::fail(Code::kUnavailable, fmt::format("the start of container {} does not come to an end: look at {}", id,
                                                    (bundle(id) / shim::kRuntimeLogFile).string()));
}

// What the kernel and the runtime binary still hold of a container without processes.
void BundleStore::forget_in_kernel(const std::string& id) const {
  for (const auto& hierarchy : cgroups_.hierarchies) shim::remove_cgroup(hierarchy, cgroup(id));
  [[maybe_unused]] const auto removed = base::remove_tree(runtime_root() / id);
}

void BundleStore::forget_unrecorded(const std::string& id) const {
  // The runtime binary's notes are made first and, by the shim, removed last.
  if (::access((runtime_root() / id).c_str(), F_OK) == 0) forget_in_kernel(id);
}

Result<> BundleStore::kill_process(const std::string& id, const BundleState& state) const {
  const auto process = open_process(state.started->process);
  RETURN_IF_ERROR(signal_process(process, SIGKILL));
  if (wait_for_end(process, kPatience)) return {};
  return base::fail(Code::kUnavailable, fmt::format("container {} does not die: its process {} hangs in the kernel", id,
                                                    state.started->process.pid));
}

Result<BundleState> BundleStore::settle(const std::string& id) const {
  ASSIGN_OR_RETURN(auto state, read(id));
  if (!state) return base::fail(Code::kNotFound, fmt::format("there is no container {}", id));
  if (!state->orphaned()) return *std::move(state);
  const bool same_boot = state->started->boot_id == this_boot();
  if (same_boot) RETURN_IF_ERROR(kill_process(id, *state));
  forget_unrecorded(id);
  ExitRecord record;
  record.attempt = state->started->attempt;
  record.status.code = 128 + SIGKILL;
  record.status.signal = SIGKILL;
  record.status.finished_at = base::SystemClock().wall();
  record.status.reason = same_boot ? "its shim was killed, so it was ended" : "the machine was restarted";
  RETURN_IF_ERROR(write_exit_record(bundle(id), record));
  state->exited = std::move(record);
  return *std::move(state);
}

Result<> BundleStore::remove(const std::string& id, bool keep_logs) {
  ASSIGN_OR_RETURN(const auto before, read(id));
  if (before) RETURN_IF_ERROR(remove_bundle(id));
  RETURN_IF_ERROR(remove_memory_files(place(id).files));
  // An agent that was killed while a command began has left its folder.
  RETURN_IF_ERROR(base::remove_tree(exec_folder(id)));
  if (!keep_logs) RETURN_IF_ERROR(base::remove_tree(log_folder(id)));
  remove_empty_parents();
  return {};
}

Result<> BundleStore::remove_bundle(const std::string& id) const {
  ASSIGN_OR_RETURN(const auto locked, lock(id));
  ASSIGN_OR_RETURN(const auto state, read(id));
  UniqueFd shim;
  if (state && state->started && state->started->boot_id == this_boot()) {
    shim = open_process(state->started->shim);
    if (shim) RETURN_IF_ERROR(base::write_file(bundle(id) / shim::kRemovedFile, ""));
    ExitWatch watch(bundle(id));
    RETURN_IF_ERROR(kill_process(id, *state));
    // A shim that records nothing was stopped, or is stuck.
    if (!watch.wait(shim, kPatience)) RETURN_IF_ERROR(signal_process(shim, SIGKILL));
  }
  forget_unrecorded(id);
  // While the shim's end still unmounts the root: that syncs the file system, and then these would be on the disk.
  RETURN_IF_ERROR(base::remove_tree(bundle(id)));
  if (wait_for_end(shim, kPatience)) return {};
  RETURN_IF_ERROR(signal_process(shim, SIGKILL));
  wait_for_end(shim, kPatience);
  return {};
}

// With the last container the folders and groups above it go too: after a "down" nothing shows we were here.
void BundleStore::remove_empty_parents() {
  const std::lock_guard lock(parents_mutex_);
  if (::rmdir((options_.data_folder / "containers").c_str()) != 0) return;
  for (const auto& hierarchy : cgroups_.hierarchies) shim::remove_cgroup(hierarchy, options_.cgroup_parent);
  ::rmdir(runtime_root().c_str());
  ::rmdir((options_.state_folder / kMountsFolder).c_str());
  ::rmdir((options_.state_folder / kExecFolder).c_str());
}

}  // namespace orchion::node::runtimes::bundle
