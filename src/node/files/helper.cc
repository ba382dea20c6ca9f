#include "node/files/helper.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/spawn_actions.h"
#include "node/files/helper_image.h"

namespace orchion::node::files {

namespace {

using base::Code;
using base::Result;
using base::UniqueFd;

constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr int kPipeBytes = 1 << 20;
constexpr std::size_t kErrorBytesMax = 4096;
constexpr int kProcessFd = 3;

// How long a killed helper is waited for: one that a broken file system holds in the kernel ends when that lets it.
constexpr int kKillLimitMs = 200;

struct PipePair {
  UniqueFd read;
  UniqueFd write;
};

Result<PipePair> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return base::fail_errno(errno, "cannot create a pipe");
  // A larger one spares changes between the processes; what root may have others may not.
  (void)::fcntl(fds[0], F_SETPIPE_SZ, kPipeBytes);
  return PipePair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<pid_t> spawn(const UniqueFd& image, base::SpawnActions& actions, std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  const auto program = fmt::format("/proc/self/fd/{}", image.get());
  const int failed =
      ::posix_spawn(&pid, program.c_str(), &actions.files, &actions.attributes, argv.data(), environment.data());
  if (failed != 0) return base::fail_errno(failed, "cannot start what copies files");
  return pid;
}

void assign(boost::asio::posix::stream_descriptor& to, UniqueFd fd) {
  to.assign(fd.release());
  to.non_blocking(true);
}

}  // namespace

Result<StartedHelper> start_helper(Direction direction, const Process& process, std::string path, bool follow_link) {
  const bool from = direction == Direction::kFrom;
  ASSIGN_OR_RETURN(const auto opened, open_helper_image());
  ASSIGN_OR_RETURN(const auto image, base::move_up(opened.get()));
  ASSIGN_OR_RETURN(auto data, make_pipe());
  ASSIGN_OR_RETURN(auto errors, make_pipe());
  ASSIGN_OR_RETURN(const auto theirs, base::move_up(from ? data.write.get() : data.read.get()));
  ASSIGN_OR_RETURN(const auto their_errors, base::move_up(errors.write.get()));
  ASSIGN_OR_RETURN(const auto handle, base::move_up(process.handle.get()));
  base::SpawnActions actions;
  actions.stream(STDIN_FILENO, from ? -1 : theirs.get());
  actions.stream(STDOUT_FILENO, from ? theirs.get() : -1);
  actions.stream(STDERR_FILENO, their_errors.get());
  actions.stream(kProcessFd, handle.get());
  std::vector<std::string> arguments = {"orchion-files", from ? "from" : "into", std::to_string(process.pid),
                                        std::move(path)};
  if (follow_link) arguments.emplace_back("follow");
  ASSIGN_OR_RETURN(const auto pid, spawn(image, actions, std::move(arguments)));
  return StartedHelper{Child(pid), std::move(from ? data.read : data.write), std::move(errors.read)};
}

// Nobody else waits for this child: until it was waited for, its pid is its own.
Child::Child(pid_t pid) : pid_(pid), handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

Child::~Child() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  pollfd ending{handle_.get(), POLLIN, 0};
  ::poll(&ending, 1, kKillLimitMs);
  ::waitpid(pid_, nullptr, WNOHANG);
}

int Child::reap() {
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return status;
}

Helper::Helper(base::Executor executor, StartedHelper started)
    : data_(executor), errors_(executor), child_(std::move(started.child)) {
  assign(data_, std::move(started.data));
  assign(errors_, std::move(started.errors));
}

base::Co<std::string> Helper::read_errors() {
  std::string text;
  std::array<char, 512> buffer;
  while (true) {
    const auto [error, n] = co_await errors_.async_read_some(boost::asio::buffer(buffer), kAwait);
    if (n == 0) co_return text;
    if (text.size() < kErrorBytesMax) text.append(buffer.data(), n);
  }
}

base::Co<> Helper::ended() {
  CO_ASSIGN_OR_RETURN(const auto said, co_await read_errors());
  boost::asio::posix::stream_descriptor handle(data_.get_executor(),
                                               ::fcntl(child_.handle().get(), F_DUPFD_CLOEXEC, 0));
  const auto [error] = co_await handle.async_wait(boost::asio::posix::stream_descriptor::wait_read, kAwait);
  if (error) co_return base::fail(Code::kCancelled, "the copy was interrupted");
  const int status = child_.reap();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) co_return Result<>{};
  int code = 0;
  const auto [end, parsed] = std::from_chars(said.data(), said.data() + said.size(), code);
  if (parsed != std::errc() || end == said.data() + said.size() || !said.ends_with('\n'))
    co_return base::fail(Code::kInternal, "the copy broke off, see the log of its node's orchion");
  co_return base::fail(static_cast<Code>(code), std::string(end + 1, said.data() + said.size() - 1));
}

}  // namespace orchion::node::files
