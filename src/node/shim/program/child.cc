#include "node/shim/program/child.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/shim/record.h"

extern char** environ;

namespace orchion::node::shim {

namespace {

constexpr int kIgnored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU};

[[noreturn]] void become(char* const* arguments, ChildStreams streams, int program) {
  restore_signals();
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(streams.in >= 0 ? streams.in : nothing, STDIN_FILENO);
  ::dup2(streams.out >= 0 ? streams.out : nothing, STDOUT_FILENO);
  ::dup2(streams.error >= 0 ? streams.error : nothing, STDERR_FILENO);
  // Where there is none, or no such call, by its name.
  if (program >= 0) ::execveat(program, "", arguments, environ, AT_EMPTY_PATH);
  ::execve(arguments[0], arguments, environ);
  ::_exit(127);
}

}  // namespace

void restore_signals() {
  for (const int signal : kIgnored) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void guard_signals() {
  for (const int signal : kIgnored) ::signal(signal, SIG_IGN);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

pid_t start_child(char* const* arguments, ChildStreams streams, int program) {
  const pid_t pid = ::fork();
  if (pid == 0) become(arguments, streams, program);
  return pid;
}

int exit_code(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

void reap_children() {
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

pid_t read_pid_file(const char* name) {
  char text[32];
  const auto size = read_small_file(AT_FDCWD, name, text, sizeof text - 1);
  if (size <= 0) return 0;
  text[size] = '\0';
  return static_cast<pid_t>(std::atoi(text));
}

}  // namespace orchion::node::shim
