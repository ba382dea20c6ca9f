#include "node/networks/lasting_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/file.h"
#include "base/process.h"
#include "base/spawn_actions.h"

namespace orchion::node::networks {
namespace {

namespace fs = std::filesystem;

constexpr int kLockFd = 4;
constexpr auto kEndLimit = std::chrono::seconds(5);
constexpr auto kEndLook = std::chrono::milliseconds(5);

fs::path with(const fs::path& notes, const char* ending) {
  return notes.string() + ending;
}

struct Lock {
  base::UniqueFd file;
  bool is_ours = false;  // nobody else has it
};

base::Result<Lock> try_lock(const fs::path& notes) {
  const auto path = with(notes, ".pid");
  Lock lock{base::UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600))};
  if (!lock.file) return base::fail_errno(errno, "cannot open " + path.string());
  lock.is_ours = ::flock(lock.file.get(), LOCK_EX | LOCK_NB) == 0;
  return lock;
}

base::Result<pid_t> spawn(std::vector<std::string> arguments, int ready, int lock, int log) {
  ASSIGN_OR_RETURN(const auto program, base::find_program(arguments.front()));
  base::SpawnActions actions;
  // A session of its own: what a terminal says to this program isn't meant for it.
  posix_spawnattr_setflags(&actions.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  actions.stream(STDIN_FILENO, -1);
  actions.stream(STDOUT_FILENO, log);
  actions.stream(STDERR_FILENO, log);
  actions.stream(kReadyFd, ready);
  actions.stream(kLockFd, lock);
  // Not all that this process has open is closed by itself: a port that it listens on would be taken for ever.
  posix_spawn_file_actions_addclosefrom_np(&actions.files, kLockFd + 1);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions.files, &actions.attributes, argv.data(), ::environ);
  if (failed != 0) return base::fail_errno(failed, "cannot start " + program);
  return pid;
}

// Where it is our child it stays until it is asked for.
void reap(pid_t pid) {
  if (pid > 1) ::waitpid(pid, nullptr, WNOHANG);
}

}  // namespace

pid_t pid_of_lasting(const fs::path& notes) {
  return std::atoi(base::read_file(with(notes, ".pid")).value_or("").c_str());
}

base::Result<bool> start_lasting(const LastingProgram& program,
                                 const std::function<base::Result<>(int pipe)>& until_ready) {
  const auto& notes = program.notes;
  ASSIGN_OR_RETURN(const auto lock, try_lock(notes));
  if (!lock.is_ours) return false;
  reap(pid_of_lasting(notes));
  const auto log_path = with(notes, ".log");
  const base::UniqueFd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!log) return base::fail_errno(errno, "cannot write " + log_path.string());
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return base::fail_errno(errno, "cannot create a pipe");
  const base::UniqueFd ready(fds[0]);
  base::UniqueFd theirs(fds[1]);
  ASSIGN_OR_RETURN(auto ready_up, base::move_up(theirs.get()));
  ASSIGN_OR_RETURN(const auto lock_up, base::move_up(lock.file.get()));
  ASSIGN_OR_RETURN(const auto log_up, base::move_up(log.get()));
  ASSIGN_OR_RETURN(const pid_t pid, spawn(program.arguments, ready_up.get(), lock_up.get(), log_up.get()));
  theirs.reset();
  ready_up.reset();
  const auto text = fmt::format("{}\n", pid);
  auto done = base::Result<>{};
  if (::ftruncate(lock.file.get(), 0) != 0 || ::pwrite(lock.file.get(), text.data(), text.size(), 0) < 0)
    done = base::fail_errno(errno, "cannot write " + with(notes, ".pid").string());
  if (done) done = until_ready(ready.get());
  if (done) return true;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  const auto said = base::read_file(log_path).value_or("");
  return base::fail(done.error().code,
                    fmt::format("{}: {}", done.error().message, said.empty() ? "it did not say why" : said));
}

base::Result<> end_lasting(const fs::path& notes) {
  if (!fs::exists(with(notes, ".pid"))) return {};
  const auto begun = std::chrono::steady_clock::now();
  for (int sent = 0;;) {
    ASSIGN_OR_RETURN(const auto lock, try_lock(notes));
    const pid_t pid = pid_of_lasting(notes);
    reap(pid);
    if (lock.is_ours) return {};
    const int signal = std::chrono::steady_clock::now() - begun < kEndLimit ? SIGTERM : SIGKILL;
    if (signal != sent && pid > 1 && ::kill(pid, signal) != 0 && errno != ESRCH)
      return base::fail_errno(errno, fmt::format("cannot end the program with the pid {}", pid));
    if (std::chrono::steady_clock::now() - begun > 2 * kEndLimit)
      return base::fail(base::Code::kDeadlineExceeded, fmt::format("the program with the pid {} does not end", pid));
    sent = signal;
    std::this_thread::sleep_for(kEndLook);
  }
}

}  // namespace orchion::node::networks
