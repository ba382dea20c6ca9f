#include "daemon/background.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/folders.h"

namespace orchion::daemon {

namespace {

constexpr char kReadyVariable[] = "ORCHION_READY_FD";
constexpr int kReadyLimitMs = 30'000;
constexpr auto kStopLimit = std::chrono::seconds(30);
constexpr auto kStopLook = std::chrono::milliseconds(10);

// What it said last: "orchion: …" is its own error.
std::string last_word(const std::filesystem::path& log) {
  const auto text = base::read_file(log).value_or("");
  const auto at = text.rfind("orchion: ");
  if (at == std::string::npos) return "it did not say why; see " + log.string();
  const auto line = text.substr(at + 9);
  return line.substr(0, line.find('\n'));
}

// The program's own path, whose last part is what `ps` calls the process. One that was replaced meanwhile has none.
std::string own_path() {
  constexpr const char* kSelf = "/proc/self/exe";
  std::error_code error;
  auto path = std::filesystem::read_symlink(kSelf, error);
  return !error && std::filesystem::equivalent(path, kSelf, error) ? path.string() : kSelf;
}

// In the new process: nothing but async-signal-safe calls. Whatever the caller holds open (a lock, a pipe to somebody
// who waits for its end) is not the server's; `ready` alone goes with it.
[[noreturn]] void become(const char* path, const std::vector<char*>& argv, int log, int null, int ready) {
  ::setsid();
  ::dup2(null, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0 || ::fcntl(ready, F_SETFD, 0) != 0) ::_exit(127);
  if (::chdir("/") != 0) ::_exit(127);
  ::execv(path, argv.data());
  ::_exit(127);
}

}  // namespace

base::Result<> start_in_background(const std::filesystem::path& data, std::vector<std::string> arguments) {
  RETURN_IF_ERROR(prepare_data_folder(data));
  const auto path = Folders{data}.log();
  base::UniqueFd log(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!log) return base::fail_errno(errno, "cannot write " + path.string());
  base::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int fds[2];
  if (::pipe(fds) != 0) return base::fail_errno(errno, "cannot create a pipe");
  base::UniqueFd read_end(fds[0]);
  base::UniqueFd write_end(fds[1]);
  ::setenv(kReadyVariable, std::to_string(write_end.get()).c_str(), 1);
  const auto what = arguments.front();
  arguments.insert(arguments.begin(), "orchion");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const auto program = own_path();
  const pid_t pid = ::fork();
  if (pid < 0) return base::fail_errno(errno, "cannot start a process");
  if (pid == 0) become(program.c_str(), argv, log.get(), null.get(), write_end.get());
  ::unsetenv(kReadyVariable);
  write_end.reset();

  pollfd wait{read_end.get(), POLLIN, 0};
  char byte = 0;
  if (::poll(&wait, 1, kReadyLimitMs) == 0)
    return base::fail(base::Code::kDeadlineExceeded,
                      fmt::format("the {} is not ready after {} s: see {}", what, kReadyLimitMs / 1000, path.string()));
  if (::read(read_end.get(), &byte, 1) == 1) return {};
  // It closed its end without a word, so it ends: what it said last is in the log by then.
  ::waitpid(pid, nullptr, 0);
  return base::fail(base::Code::kFailedPrecondition, fmt::format("cannot start the {}: {}", what, last_word(path)));
}

void tell_ready() {
  const char* text = std::getenv(kReadyVariable);
  if (text == nullptr) return;
  base::UniqueFd fd(std::atoi(text));
  ::unsetenv(kReadyVariable);
  [[maybe_unused]] auto written = ::write(fd.get(), "1", 1);
}

base::Error begin_anew() {
  const auto words = base::read_file("/proc/self/cmdline");
  if (!words) return words.error();
  // Each word ends with a zero.
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < words->size(); at += arguments.back().size() + 1)
    arguments.emplace_back(words->c_str() + at);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(own_path().c_str(), argv.data());
  return base::fail_errno(errno, "cannot begin anew").error();
}

base::Result<> stop_server(const std::filesystem::path& data) {
  const auto path = Folders{data}.lock();
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto text = base::read_file(path);
  // Nobody holds the lock: the pid there is of a process long gone, perhaps somebody else's by now.
  if (!fd || !text || ::flock(fd.get(), LOCK_SH | LOCK_NB) == 0)
    return base::fail(base::Code::kNotFound, fmt::format("no server or agent runs on {}", data.string()));
  const pid_t pid = std::atoi(text->c_str());
  if (pid <= 1 || ::kill(pid, SIGTERM) != 0) return base::fail_errno(errno, fmt::format("cannot end process {}", pid));
  const auto deadline = std::chrono::steady_clock::now() + kStopLimit;
  while (::flock(fd.get(), LOCK_SH | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() > deadline)
      return base::fail(base::Code::kDeadlineExceeded, fmt::format("process {} does not end", pid));
    std::this_thread::sleep_for(kStopLook);
  }
  return {};
}

}  // namespace orchion::daemon
