#include "node/shim/program/exec_process.h"

#include <cerrno>
#include <csignal>
#include <cstdio>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/shim/bundle.h"
#include "node/shim/program/child.h"
#include "node/shim/program/mounts.h"
#include "node/shim/program/own_users.h"
#include "node/shim/program/report.h"
#include "node/shim/program/runtime_arguments.h"
#include "node/shim/program/settings.h"
#include "node/shim/program/start_program.h"
#include "node/shim/program/terminal.h"

namespace orchion::node::shim {

namespace {

Settings settings;

// −1: there was no fork; 0: what failed was reported.
pid_t start_runtime(int bundle_fd, bool tty) {
  RuntimeArguments arguments(settings, "exec");
  arguments.add("--process");
  arguments.add("process.json");
  const auto streams = tty ? ChildStreams{} : ChildStreams{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  if (!settings.own_users) return start_child(arguments.finish(tty), streams, kProgramFd);
  const OwnStreams own(streams);
  const NetworkVisit visit(bundle_fd);
  if (!visit.entered()) return 0;
  return start_child(arguments.finish(tty), own.streams, kProgramFd);
}

// Has the runtime binary start the process; 0 where that failed, and was reported.
pid_t start_in_container(int bundle_fd, bool tty) {
  const pid_t runtime = start_runtime(bundle_fd, tty);
  if (runtime < 0) report_failure("cannot fork", errno);
  if (runtime <= 0) return 0;
  // The exec'd process can't be reaped unseen: its pid is only asked for while it hasn't been waited for.
  int status = 0;
  while (::waitpid(runtime, &status, 0) < 0 && errno == EINTR) {
  }
  const pid_t pid = read_pid_file(kPidFile);
  if (status == 0 && pid > 0) return pid;
  report_runtime_log(kRuntimeLogFile);
  return 0;
}

// The same beside a program of the node itself.
pid_t start_beside_program(bool tty) {
  if (!tty) return start_program({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}, false);
  const auto terminal = open_terminal();
  const auto size = program_terminal_size();
  set_terminal_size(terminal.near, static_cast<std::uint16_t>(size.columns), static_cast<std::uint16_t>(size.rows));
  const int error = terminal.near < 0 ? errno : send_terminal(terminal.near, kConsoleSocket);
  if (error != 0) {
    report_failure("cannot make a terminal", error);
    return 0;
  }
  const pid_t pid = start_program({terminal.far, terminal.far, terminal.far}, true);
  ::close(terminal.near);
  ::close(terminal.far);
  return pid;
}

// Waits for the end of `pid`, killing it when nobody is left to hear of it.
int supervise(pid_t pid, int signals) {
  int caller = kReportFd;
  while (true) {
    int status = 0;
    while (const pid_t ended = ::waitpid(-1, &status, WNOHANG)) {
      if (ended == pid) return status;
      if (ended < 0) return 0;
    }
    pollfd fds[] = {{signals, POLLIN, 0}, {caller, POLLRDHUP, 0}};
    if (::poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) {
      ::kill(pid, SIGKILL);
      caller = -1;
    }
    signalfd_siginfo ignored;
    if (fds[0].revents != 0 && ::read(signals, &ignored, sizeof ignored) < 0) continue;
  }
}

}  // namespace

int exec_process(const char* bundle, bool tty) {
  if (::fork() > 0) ::_exit(0);  // the caller need not wait for it
  guard_signals();
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  const int signals = ::signalfd(-1, &children, SFD_CLOEXEC);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const int folder = ::open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || !read_settings(folder, settings)) {
    report_failure("the bundle's settings cannot be read", EINVAL);
    return 1;
  }
  const bool ready =
      settings.is_program || (enter_own_mounts(settings) && (!settings.own_users || cover_mounts_folder(folder)));
  if (!ready) return 1;
  const pid_t pid = settings.is_program ? start_beside_program(tty) : start_in_container(folder, tty);
  ::close(folder);
  if (pid <= 0) {
    ::close(kReportFd);
    reap_children();
    return 1;
  }
  report(kReportStarted);
  // The caller's pipes end with the process, not with the shim.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(fd);
  const int status = supervise(pid, signals);
  char line[32];
  std::snprintf(line, sizeof line, "%s%d\n", kReportExit, exit_code(status));
  report(line);
  return 0;
}

}  // namespace orchion::node::shim
