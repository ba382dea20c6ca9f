#include "base/process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

extern char** environ;

namespace orchion::base {

namespace {

constexpr auto kWatchInterval = std::chrono::milliseconds(250);

struct PipePair {
  UniqueFd read;
  UniqueFd write;
};

Result<PipePair> make_pipe_pair() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno(errno, "cannot create a pipe");
  return PipePair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::vector<std::string> merged_environment(const Command& command) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(command.environment.begin(), command.environment.end(),
                                      [&](const auto& added) { return added.first == name; });
    if (!replaced) result.emplace_back(text);
  }
  for (const auto& [name, value] : command.environment) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

// Owns the child until it is reaped.
struct Child {
  pid_t pid = -1;
  ~Child() {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      wait();
    }
  }
  int wait() {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    pid = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
};

struct Pipes {
  UniqueFd input;
  UniqueFd output;
  UniqueFd error;
};

// Moves bytes until both outputs are closed or the deadline has come.
Result<> pump(const Command& command, Pipes& pipes, ProcessOutput& result) {
  const auto deadline = std::chrono::steady_clock::now() + command.limit;
  std::string_view input = command.standard_input;
  if (input.empty()) pipes.input.reset();
  auto drain = [&](UniqueFd& fd, std::string& into) -> Result<> {
    char buffer[65536];
    const auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return {};
    if (n <= 0) {
      fd.reset();
      return {};
    }
    if (into.size() + static_cast<std::size_t>(n) > command.output_bytes_max)
      return fail(Code::kResourceExhausted,
                  fmt::format("{} printed more than {} bytes", command.arguments[0], command.output_bytes_max));
    into.append(buffer, static_cast<std::size_t>(n));
    return {};
  };
  while (pipes.output || pipes.error) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return fail(Code::kDeadlineExceeded,
                  fmt::format("{} did not finish in {} s", command.arguments[0],
                              std::chrono::duration_cast<std::chrono::seconds>(command.limit).count()));
    if (command.watch) RETURN_IF_ERROR(command.watch());
    const auto wait = command.watch ? std::min(left, kWatchInterval) : left;
    pollfd fds[] = {{pipes.output.get(), POLLIN, 0}, {pipes.error.get(), POLLIN, 0}, {pipes.input.get(), POLLOUT, 0}};
    if (::poll(fds, 3, static_cast<int>(wait.count())) < 0 && errno != EINTR) return fail_errno(errno, "poll");
    if (fds[0].revents) RETURN_IF_ERROR(drain(pipes.output, result.standard_output));
    if (fds[1].revents) RETURN_IF_ERROR(drain(pipes.error, result.standard_error));
    if (fds[2].revents) {
      const auto n = ::write(pipes.input.get(), input.data(), std::min<std::size_t>(input.size(), 65536));
      if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
      if (input.empty() || (n < 0 && errno != EINTR && errno != EAGAIN)) pipes.input.reset();
    }
  }
  return {};
}

std::string last_line(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::string last;
  while (std::getline(lines, line)) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace

Result<ProcessOutput> run_process(const Command& command) {
  ASSIGN_OR_RETURN(const auto program, find_program(command.arguments.at(0)));
  ASSIGN_OR_RETURN(auto input, make_pipe_pair());
  ASSIGN_OR_RETURN(auto output, make_pipe_pair());
  ASSIGN_OR_RETURN(auto error, make_pipe_pair());
  ::fcntl(input.write.get(), F_SETFL, O_NONBLOCK);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error.write.get(), STDERR_FILENO);
  // Not all that this process has open is closed by itself (Boost.Asio's sockets aren't): what such a program leaves
  // behind would hold a port for as long as it runs.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // SIGPIPE is ignored here; the child must have the default back.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

  auto arguments = command.arguments;
  auto environment = merged_environment(command);
  Child child;
  const int spawned = ::posix_spawn(&child.pid, program.c_str(), &actions, &attributes, pointers(arguments).data(),
                                    pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (spawned != 0) {
    child.pid = -1;
    return fail_errno(spawned, fmt::format("cannot start {}", program));
  }
  input.read.reset();
  output.write.reset();
  error.write.reset();

  ProcessOutput result;
  Pipes pipes{std::move(input.write), std::move(output.read), std::move(error.read)};
  RETURN_IF_ERROR(pump(command, pipes, result));
  result.exit_code = child.wait();
  return result;
}

Result<std::string> run_checked(const Command& command) {
  ASSIGN_OR_RETURN(auto output, run_process(command));
  if (output.exit_code != 0)
    return fail(Code::kInternal, fmt::format("{} failed ({}): {}", command.arguments[0], output.exit_code,
                                             last_line(output.standard_error)));
  return std::move(output.standard_output);
}

Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) == 0) return name;
    return fail(Code::kNotFound, fmt::format("there is no program {}", name));
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path ? path : "") +
                             ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  std::string folder;
  while (std::getline(folders, folder, ':')) {
    if (folder.empty()) continue;
    std::string candidate = folder + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fail(Code::kNotFound, fmt::format("there is no program {} in PATH", name));
}

}  // namespace orchion::base
