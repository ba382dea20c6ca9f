#include "node/shim/program/init_process.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace orchion::node::shim {

namespace {

constexpr int kExitNotExecutable = 126;
constexpr int kExitNoCommand = 127;

// These tell of a fault in this process itself.
constexpr int kOwnSignals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};

sigset_t passed_signals() {
  sigset_t set;
  sigfillset(&set);
  for (const int number : kOwnSignals) sigdelset(&set, number);
  return set;
}

// What keeps it from running goes to `failure_fd`, as an errno; to the standard error where there is none.
[[noreturn]] void execute(char** arguments, int failure_fd) {
  ::execvp(arguments[0], arguments);
  const int failure = errno;
  const int code = failure == ENOENT ? kExitNoCommand : kExitNotExecutable;
  if (failure_fd >= 0 && ::write(failure_fd, &failure, sizeof failure) == sizeof failure) ::_exit(code);
  const char* reason = std::strerror(failure);
  for (const char* part : {"cannot run ", static_cast<const char*>(arguments[0]), ": ", reason, "\n"})
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  ::_exit(code);
}

[[noreturn]] void become(char** arguments, const sigset_t& before, int failure_fd) {
  // A session's foreground, so that a terminal's keys reach it.
  if (::setpgid(0, 0) == 0) {
    ::signal(SIGTTOU, SIG_IGN);
    ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
    ::signal(SIGTTOU, SIG_DFL);
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  execute(arguments, failure_fd);
}

int status_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

int run_init(char** arguments, int failure_fd) {
  const sigset_t passed = passed_signals();
  sigset_t before;
  ::sigprocmask(SIG_SETMASK, &passed, &before);
  const pid_t child = ::fork();
  if (child < 0) return kExitNotExecutable;
  if (child == 0) become(arguments, before, failure_fd);
  if (failure_fd >= 0) ::close(failure_fd);
  while (true) {
    int number = 0;
    if (::sigwait(&passed, &number) != 0) continue;
    if (number != SIGCHLD) {
      ::kill(child, number);
      continue;
    }
    int status = 0;
    for (pid_t ended = ::waitpid(-1, &status, WNOHANG); ended > 0; ended = ::waitpid(-1, &status, WNOHANG))
      if (ended == child) return status_of(status);
  }
}

int take_held_input(char** arguments) {
  const int input = ::open(kHeldInputPath, O_RDONLY | O_CLOEXEC);
  if (input < 0 || ::dup2(input, STDIN_FILENO) < 0) return kExitNotExecutable;
  execute(arguments, -1);
}

}  // namespace orchion::node::shim
