#include "node/shim/program/run_container.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/code_pages.h"
#include "node/shim/bundle.h"
#include "node/shim/cgroup_files.h"
#include "node/shim/process_identity.h"
#include "node/shim/program/mounts.h"
#include "node/shim/program/output.h"
#include "node/shim/program/own_users.h"
#include "node/shim/program/report.h"
#include "node/shim/program/runtime_arguments.h"
#include "node/shim/program/start_program.h"
#include "node/shim/record.h"

namespace orchion::node::shim {

namespace {

Settings settings;

// What a container may take at most to end when the machine goes down: less than the minute and a half after which
// systemd kills whatever is left, this process included.
constexpr std::int64_t kGoingDownMsMax = 80'000;

std::int64_t now_ns(clockid_t clock = CLOCK_REALTIME) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// Away from the agent: its child ends at once, what goes on belongs to init.
void become_daemon() {
  if (::fork() > 0) ::_exit(0);
  ::setsid();
}

void enter_own_cgroups() {
  for (int i = 0; i < settings.hierarchy_count; ++i) enter_cgroup(settings.hierarchies[i], settings.shim_cgroup);
}

// What the runtime binary left of the container: its groups, and its notes, a flat folder.
void forget_container() {
  for (int i = 0; i < settings.hierarchy_count; ++i) remove_cgroup(settings.hierarchies[i], settings.cgroup);
  char path[2 * Settings::kPathBytes];
  std::snprintf(path, sizeof path, "%s/%s", settings.runtime_root, settings.id);
  DIR* folder = ::opendir(path);
  if (folder == nullptr) return;
  while (const dirent* entry = ::readdir(folder)) ::unlinkat(::dirfd(folder), entry->d_name, 0);
  ::closedir(folder);
  ::rmdir(path);
}

bool oom_killed() {
  if (settings.memory_events[0] == '\0') return false;
  char text[4096];
  const auto size = read_small_file(AT_FDCWD, settings.memory_events, text, sizeof text);
  return size > 0 && oom_kills({text, static_cast<std::size_t>(size)}) > 0;
}

// Processes that ended before the runtime binary did; the container's first may be among them.
struct Reaped {
  static constexpr int kMax = 16;
  pid_t pids[kMax];
  int statuses[kMax];
  int count = 0;

  void add(pid_t pid, int status) {
    pids[count % kMax] = pid;
    statuses[count % kMax] = status;
    ++count;
  }
  bool find(pid_t pid, int& status) const {
    for (int i = 0; i < kMax && i < count; ++i) {
      if (pids[i] != pid) continue;
      status = statuses[i];
      return true;
    }
    return false;
  }
};

bool make_root() {
  if (!enter_own_mounts(settings)) return false;
  return settings.own_users ? mount_for_own_users(settings.layers) : mount_root(settings.layers, kRootFolder);
}

// −1: there was no fork; 0: what failed was reported.
pid_t start_runtime(const Output& output) {
  RuntimeArguments arguments(settings, "run");
  ::unlink(kPidFile);
  ::unlink(kRuntimeLogFile);
  const auto streams = output.child_streams();
  if (!settings.own_users) return start_child(arguments.finish(settings.tty), streams, kProgramFd);
  const OwnStreams own(streams);
  const NetworkVisit visit(AT_FDCWD);
  if (!visit.entered()) return 0;
  return start_child(arguments.finish(settings.tty), own.streams, kProgramFd);
}

// Returns the runtime binary's wait status.
int wait_for_runtime(pid_t runtime, Reaped& reaped) {
  while (true) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, 0);
    if (pid == runtime) return status;
    if (pid > 0) reaped.add(pid, status);
  }
}

// Has the runtime binary start the container; its first process, or 0 where that failed, and was reported.
pid_t start_container(const Output& output, Reaped& reaped) {
  const pid_t runtime = start_runtime(output);
  if (runtime < 0) report_failure("cannot fork", errno);
  if (runtime <= 0) return 0;
  const int status = wait_for_runtime(runtime, reaped);
  const pid_t pid = read_pid_file(kPidFile);
  if (status == 0 && pid > 0) return pid;
  report_runtime_log(kRuntimeLogFile);
  return 0;
}

// The same without one.
pid_t start_own_program(const Output& output) {
  char notes[2 * Settings::kPathBytes];
  std::snprintf(notes, sizeof notes, "%s/%s", settings.runtime_root, settings.id);
  if (::mkdir(notes, 0700) != 0 && errno != EEXIST) {
    report_failure("cannot make the program's state folder", errno);
    return 0;
  }
  if (!make_program_groups()) return 0;
  const pid_t pid = start_program(output.child_streams(), settings.tty);
  return pid > 0 ? pid : 0;
}

int write_status(std::uint16_t attempt, pid_t pid, const Output& output) {
  char boot[kBootIdBytes];
  RecordWriter record;
  record.add(status::kAttempt, attempt);
  record.add(status::kPid, pid);
  record.add(status::kPidStart, process_start(pid));
  record.add(status::kShimPid, ::getpid());
  record.add(status::kShimPidStart, process_start(::getpid()));
  record.add(status::kBootId, boot_id(boot));
  record.add(status::kStartedNs, now_ns());
  if (settings.tty) record.add(status::kTerminal, output.out());
  return replace_small_file(AT_FDCWD, kStatusFile, record.text(), Durability::kPageCache);
}

// Takes what is pending of SIGCHLD and SIGTERM; true where pid 1 sent the latter: the machine goes down. Anybody else's
// is not heeded.
bool is_told_to_go_down(int signals) {
  bool told = false;
  signalfd_siginfo info;
  while (::read(signals, &info, sizeof info) == sizeof info)
    told = told || (info.ssi_signo == SIGTERM && info.ssi_pid == 1);
  return told;
}

struct End {
  int wait_status = 0;
  bool with_machine = false;  // it went down, and the container with it
};

// Carries output until `pid` has ended. When the machine goes down everybody is told; it waits for those that don't
// care, a minute and a half with systemd, so such a container is killed before.
End supervise(pid_t pid, Output& output, int signals) {
  std::int64_t deadline_ns = 0;  // 0: nobody said that the machine goes down
  while (true) {
    pollfd fds[] = {
        {signals, POLLIN, 0}, {output.out(), POLLIN, 0}, {output.error(), POLLIN, 0}, {output.input_end(), POLLIN, 0}};
    const auto left_ns = std::max<std::int64_t>(deadline_ns - now_ns(CLOCK_MONOTONIC), 0);
    const int ready = ::poll(fds, 4, deadline_ns == 0 ? -1 : static_cast<int>(left_ns / 1'000'000) + 1);
    if (deadline_ns != 0 && left_ns == 0) ::kill(pid, SIGKILL);
    if (ready < 0) continue;
    if (fds[1].revents != 0) output.drain_out();
    if (fds[2].revents != 0) output.drain_error();
    if (fds[3].revents != 0) output.end_input();
    if (fds[0].revents == 0) continue;
    if (is_told_to_go_down(signals) && deadline_ns == 0) {
      const auto patience_ms = std::clamp<std::int64_t>(settings.stop_grace_ms, 0, kGoingDownMsMax);
      deadline_ns = now_ns(CLOCK_MONOTONIC) + patience_ms * 1'000'000;
    }
    int status = 0;
    while (const pid_t ended = ::waitpid(-1, &status, WNOHANG)) {
      if (ended == pid) return {status, deadline_ns != 0};
      if (ended < 0) break;
    }
  }
}

// Before the end is told: whoever hears of it may remove what the hooks look at.
void call_poststop_hooks() {
  auto arguments = RuntimeArguments::for_delete(settings);
  const pid_t pid = start_child(arguments.finish(/*tty=*/false), {}, /*program=*/-1);
  if (pid > 0) ::waitpid(pid, nullptr, 0);
}

void write_exit(std::uint16_t attempt, int wait_status, bool was_oom_killed) {
  RecordWriter record;
  record.add(exited::kAttempt, attempt);
  record.add(exited::kCode, exit_code(wait_status));
  record.add(exited::kSignal, WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0);
  record.add(exited::kOomKilled, was_oom_killed ? 1 : 0);
  record.add(exited::kFinishedNs, now_ns());
  const bool removed = ::access(kRemovedFile, F_OK) == 0;
  replace_small_file(AT_FDCWD, kExitFile, record.text(), removed ? Durability::kPageCache : Durability::kDisk);
}

int fail_start() {
  forget_container();
  reap_children();
  ::close(kReportFd);
  ::close(kLockFd);
  ::close(kProgramFd);
  return 1;
}

}  // namespace

int run_container(std::uint16_t attempt) {
  become_daemon();
  guard_signals();
  sigset_t heard;
  sigemptyset(&heard);
  sigaddset(&heard, SIGCHLD);
  sigaddset(&heard, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &heard, nullptr);
  const int signals = ::signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);

  Output output(attempt);
  if (!read_settings(AT_FDCWD, settings)) {
    // Nothing was begun, and nobody knows what: nothing is taken away.
    report_failure("the bundle's settings cannot be read", EINVAL);
    return 1;
  }
  if (!settings.is_program && !make_root()) return fail_start();
  if (const int error = output.open(settings); error != 0) {
    report_failure("cannot open the container's output", error);
    return fail_start();
  }

  Reaped reaped;
  const pid_t pid = settings.is_program ? start_own_program(output) : start_container(output, reaped);
  if (pid == 0) return fail_start();
  const bool has_output = output.take_over();
  if (const int error = has_output ? write_status(attempt, pid, output) : EIO; error != 0) {
    report_failure("cannot take over the container", error);
    ::kill(pid, SIGKILL);
    return fail_start();
  }
  report(kReportStarted);
  ::close(kReportFd);
  // Each v1 hierarchy makes whoever moves wait for all processors: nothing that a start should wait for. Under the
  // lock, so that the container's removal, and that of our groups after it, comes later.
  enter_own_cgroups();
  ::close(kLockFd);
  ::close(kProgramFd);
  // With one container the code that starting took is most of what its supervision costs.
  base::release_code_pages();

  End end;
  if (!reaped.find(pid, end.wait_status)) end = supervise(pid, output, signals);
  output.drain_rest();
  const bool was_killed = oom_killed();
  if (settings.calls_poststop) call_poststop_hooks();
  // A server that ends well when the machine goes down has not done its work: it begins again when the machine is back.
  if (!end.with_machine) write_exit(attempt, end.wait_status, was_killed);
  forget_container();
  // This process holds the last of the root's mounts, and whoever lets it go writes all that is dirty on the file
  // system to the disk (overlayfs syncs what lies below it): so not the container, whose end is waited for.
  return 0;
}

}  // namespace orchion::node::shim
