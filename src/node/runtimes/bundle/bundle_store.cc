#include "node/runtimes/bundle/bundle_store.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "node/runtimes/bundle/exit_watch.h"
#include "node/runtimes/bundle/memory_files.h"
#include "node/runtimes/bundle/process_handle.h"
#include "node/shim/bundle.h"
#include "node/shim/cgroup_files.h"
#include "node/shim/process_identity.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::bundle {

namespace {

using base::Code;
using base::Result;
using base::UniqueFd;

// How long a start, or the end of a killed process, may take before the machine is called stuck.
constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(20);

// The id becomes a file's, a cgroup's and the runtime binary's name.
Result<> check_id(const std::string& id) {
  const bool fits = !id.empty() && id.size() <= 64 && id[0] != '.' && id[0] != '-';
  if (!fits || id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != id.npos)
    return base::fail(Code::kInvalidArgument,
                      fmt::format("\"{}\" cannot name a container: use letters, digits, '_', '.' and '-'", id));
  return {};
}

base::WallTime to_wall(std::int64_t ns) {
  return base::WallTime(base::Duration(ns));
}

std::string this_boot() {
  char buffer[shim::kBootIdBytes];
  return std::string(shim::boot_id(buffer));
}

// Empty where the file is missing.
Result<std::string> read_record(const std::filesystem::path& path) {
  auto text = base::read_file(path, 1u << 16);
  if (!text && text.error().code == Code::kNotFound) return std::string();
  return text;
}

std::optional<StartRecord> parse_start(std::string_view text) {
  namespace status = shim::status;
  StartRecord record;
  record.attempt = static_cast<std::uint32_t>(shim::find_number(text, status::kAttempt, 0));
  if (record.attempt == 0) return std::nullopt;
  record.process = {shim::find_number(text, status::kPid, 0), shim::find_number(text, status::kPidStart, 0)};
  record.shim = {shim::find_number(text, status::kShimPid, 0), shim::find_number(text, status::kShimPidStart, 0)};
  record.boot_id = shim::find_text(text, status::kBootId);
  record.started_at = to_wall(shim::find_number(text, status::kStartedNs, 0));
  return record;
}

std::optional<ExitRecord> parse_exit(std::string_view text) {
  namespace exited = shim::exited;
  ExitRecord record;
  record.attempt = static_cast<std::uint32_t>(shim::find_number(text, exited::kAttempt, 0));
  if (record.attempt == 0) return std::nullopt;
  record.status.code = static_cast<int>(shim::find_number(text, exited::kCode, 0));
  record.status.signal = static_cast<int>(shim::find_number(text, exited::kSignal, 0));
  record.status.oom_killed = shim::find_number(text, exited::kOomKilled, 0) != 0;
  record.status.finished_at = to_wall(shim::find_number(text, exited::kFinishedNs, 0));
  record.status.reason = shim::find_text(text, exited::kReason);
  return record;
}

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
          .shims = options_.data_folder / "shim",
          .runtime_root = runtime_root_,
          .cgroup = cgroup(id)};
}

Result<std::optional<BundleState>> BundleStore::read(const std::string& id) const {
  RETURN_IF_ERROR(check_id(id));
  const auto folder = bundle(id);
  if (::access(folder.c_str(), F_OK) != 0) return std::optional<BundleState>();
  BundleState state;
  state.whole = ::access((folder / shim::kSettingsFile).c_str(), F_OK) == 0;
  ASSIGN_OR_RETURN(const auto started, read_record(folder / shim::kStatusFile));
  state.started = parse_start(started);
  // Life before exit: a shim that ends in between has left its record by then.
  state.shim_alive = state.started && state.started->boot_id == this_boot() &&
                     shim::process_start(state.started->shim.pid) == state.started->shim.start;
  ASSIGN_OR_RETURN(const auto exited, read_record(folder / shim::kExitFile));
  state.exited = parse_exit(exited);
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
  const auto path = bundle(id) / shim::kLockFile;
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return base::fail_errno(errno, fmt::format("cannot open {}", path.string()));
  // Watched before it is tried, so that no release is missed: a shim gives the lock up by closing the file.
  UniqueFd watch;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::fail_errno(errno, fmt::format("cannot lock {}", path.string()));
    if (!watch) {
      watch.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
      if (!watch || ::inotify_add_watch(watch.get(), path.c_str(), IN_CLOSE) < 0)
        return base::fail_errno(errno, fmt::format("cannot watch {}", path.string()));
      continue;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd fd{watch.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&fd, 1, static_cast<int>(left.count())) == 0)
      return base::fail(Code::kUnavailable, fmt::format("the start of container {} does not come to an end: look at {}",
                                                        id, (bundle(id) / shim::kRuntimeLogFile).string()));
    char events[4096];
    while (::read(watch.get(), events, sizeof events) > 0) {
    }
  }
  return file;
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
  namespace exited = shim::exited;
  ExitRecord record;
  record.attempt = state->started->attempt;
  record.status.code = 128 + SIGKILL;
  record.status.signal = SIGKILL;
  record.status.finished_at = base::SystemClock().wall();
  record.status.reason = same_boot ? "its shim was killed, so it was ended" : "the machine was restarted";
  shim::RecordWriter text;
  text.add(exited::kAttempt, record.attempt);
  text.add(exited::kCode, record.status.code);
  text.add(exited::kSignal, record.status.signal);
  text.add(exited::kFinishedNs, record.status.finished_at.time_since_epoch().count());
  text.add(exited::kReason, record.status.reason);
  RETURN_IF_ERROR(base::write_file_durably(bundle(id) / shim::kExitFile, text.text()));
  state->exited = std::move(record);
  return *std::move(state);
}

Result<> BundleStore::remove(const std::string& id, bool keep_logs) {
  ASSIGN_OR_RETURN(const auto before, read(id));
  if (before) RETURN_IF_ERROR(remove_bundle(id));
  RETURN_IF_ERROR(remove_memory_files(place(id).files));
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
}

}  // namespace orchion::node::runtimes::bundle
