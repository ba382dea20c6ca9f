#include "cli/foreground_process.h"

#include <cerrno>
#include <csignal>
#include <iostream>
#include <string_view>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/file.h"
#include "base/process.h"

extern char** environ;

namespace orchion::cli {

namespace {

constexpr int kPatienceMs = 5000;  // between SIGTERM and SIGKILL

std::vector<std::string> environment_of(const ForegroundCommand& command) {
  std::vector<std::string> all;
  for (const auto& [name, value] : command.environment) all.push_back(name + "=" + value);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    bool replaced = false;
    for (const auto& added : command.environment) replaced = replaced || added.first == text.substr(0, text.find('='));
    if (!replaced) all.emplace_back(text);
  }
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

// A program and all it started, until it is reaped.
class Group {
 public:
  explicit Group(pid_t pid) : pid_(pid), handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~Group() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGTERM);
    pollfd ended{handle_.get(), POLLIN, 0};
    if (::poll(&ended, 1, kPatienceMs) <= 0) ::kill(-pid_, SIGKILL);
    (void)reap();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  // Of a copy, which whoever waits owns; -1 where the kernel gives none.
  int handle() const { return ::fcntl(handle_.get(), F_DUPFD_CLOEXEC, 0); }

  // Blocks until it has ended.
  int reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
  base::UniqueFd handle_;
};

base::Result<pid_t> spawn(const ForegroundCommand& command, int output) {
  ASSIGN_OR_RETURN(const auto program, base::find_program(command.arguments.at(0)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults, none;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  auto arguments = command.arguments;
  auto environment = environment_of(command);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, pointers(arguments).data(),
                                  pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return base::fail_errno(error, fmt::format("cannot start {}", program));
  return pid;
}

void show(const base::UniqueFd& kept) {
  char buffer[65536];
  for (off_t at = 0;;) {
    const auto n = ::pread(kept.get(), buffer, sizeof buffer, at);
    if (n <= 0) break;
    std::cerr.write(buffer, n);
    at += n;
  }
  std::cerr << std::flush;
}

}  // namespace

base::Co<int> run_in_foreground(base::Executor executor, ForegroundCommand command) {
  base::UniqueFd kept;
  if (command.quiet) {
    kept.reset(::memfd_create("orchion-output", MFD_CLOEXEC));
    if (!kept) co_return base::fail_errno(errno, "cannot keep what a program prints");
  }
  CO_ASSIGN_OR_RETURN(const auto pid, spawn(command, kept ? kept.get() : STDERR_FILENO));
  Group group(pid);
  boost::asio::posix::stream_descriptor ended(executor);
  boost::system::error_code error;
  ended.assign(group.handle(), error);
  if (error) co_return base::fail_errno(error.value(), fmt::format("cannot wait for {}", command.arguments[0]));
  co_await ended.async_wait(boost::asio::posix::stream_descriptor::wait_read, boost::asio::use_awaitable);
  const int code = group.reap();
  if (kept && code != 0) show(kept);
  co_return code;
}

}  // namespace orchion::cli
