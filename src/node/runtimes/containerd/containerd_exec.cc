#include "node/runtimes/containerd/containerd_exec.h"

#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "node/runtimes/containerd/task_requests.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::containerd {

namespace {

namespace asio = boost::asio;
using base::Co;
using base::Code;
using base::Result;
using base::UniqueFd;

constexpr base::Duration kRetryAfter = std::chrono::milliseconds(200);
constexpr int kKilled = 137;

// A fifo and our end of it, non-blocking.
Result<UniqueFd> make_fifo(const std::filesystem::path& path, int flags) {
  if (::mkfifo(path.c_str(), 0600) != 0) return base::fail_errno(errno, "cannot make a fifo for the exec");
  UniqueFd fd(::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return base::fail_errno(errno, fmt::format("cannot open {}", path.string()));
  return fd;
}

Result<> make_fifos(const ExecConfig& config, PreparedExec& exec) {
  const auto& folder = exec.descriptors.folder;
  const auto out = folder / "out", error = folder / "error", in = folder / "in";
  ASSIGN_OR_RETURN(exec.descriptors.out, make_fifo(out, O_RDONLY));
  exec.out_held.reset(::open(out.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  exec.request.set_stdout(out.native());
  if (!config.tty) {
    ASSIGN_OR_RETURN(exec.descriptors.error, make_fifo(error, O_RDONLY));
    exec.error_held.reset(::open(error.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    exec.request.set_stderr(error.native());
  }
  if (config.stdin) {
    // For reading too: nothing else says when containerd has it open.
    ASSIGN_OR_RETURN(exec.descriptors.in, make_fifo(in, O_RDWR));
    exec.request.set_stdin(in.native());
  }
  return {};
}

// A running exec, until it has ended and the caller was told.
struct RunningExec {
  RunningExec(std::shared_ptr<ContainerdClient> c, std::string i, std::string e, UniqueFd caller_fd)
      : client(std::move(c)),
        id(std::move(i)),
        exec_id(std::move(e)),
        caller(client->executor(), caller_fd.release()) {}

  std::shared_ptr<ContainerdClient> client;
  std::string id;
  std::string exec_id;
  asio::posix::stream_descriptor caller;  // as a shim's report: "exit N", and its end means that nobody listens
};

asio::awaitable<void> tell_its_end(std::shared_ptr<RunningExec> exec) {
  base::SystemClock clock;
  int code = kKilled;  // where it went with its container
  while (true) {
    const auto end = co_await exec->client->wait(exec->id, exec->exec_id);
    if (end) code = static_cast<int>(end->status);
    if (end || end.error().code != Code::kUnavailable) break;
    if (const auto slept = co_await clock.sleep(kRetryAfter); !slept) break;
  }
  // Returns when containerd has copied the last of its output.
  [[maybe_unused]] const auto deleted = co_await exec->client->delete_exec(exec->id, exec->exec_id);
  const auto line = fmt::format("{}{}\n", shim::kReportExit, code);
  [[maybe_unused]] const auto told = ::send(exec->caller.native_handle(), line.data(), line.size(), MSG_NOSIGNAL);
  boost::system::error_code ignored;
  exec->caller.close(ignored);
}

asio::awaitable<void> kill_without_caller(std::shared_ptr<RunningExec> exec) {
  boost::system::error_code failed;
  co_await exec->caller.async_wait(asio::posix::stream_descriptor::wait_read,
                                   asio::redirect_error(asio::use_awaitable, failed));
  if (failed) co_return;
  [[maybe_unused]] const auto killed = co_await exec->client->kill(exec->id, exec->exec_id, /*all=*/false);
}

// `held` keeps the fifo until containerd has let go of its own end.
asio::awaitable<void> end_input(std::shared_ptr<RunningExec> exec, std::shared_ptr<UniqueFd> held) {
  [[maybe_unused]] const auto closed = co_await exec->client->close_input(exec->id, exec->exec_id);
  held->reset();
}

void attach_hooks(const std::shared_ptr<RunningExec>& running, bundle::ExecDescriptors& descriptors) {
  descriptors.resize = [running](std::uint16_t columns, std::uint16_t rows) {
    return running->client->resize(running->id, running->exec_id, columns, rows);
  };
  if (!descriptors.in || descriptors.tty) return;
  auto held = std::make_shared<UniqueFd>(::fcntl(descriptors.in.get(), F_DUPFD_CLOEXEC, 0));
  descriptors.input_ended = [running, held] {
    asio::co_spawn(running->client->executor(), end_input(running, held), asio::detached);
  };
}

}  // namespace

Result<PreparedExec> prepare_exec(const bundle::BundleStore& store, std::string id, std::int64_t pid,
                                  ExecConfig config) {
  PreparedExec exec;
  auto random = base::Random::from_system();
  const auto exec_id = random.text(16);
  const auto folder = store.exec_folder(id) / exec_id;
  exec.descriptors.folder = folder;
  exec.descriptors.tty = config.tty;
  exec.columns = config.columns;
  exec.rows = config.rows;
  RETURN_IF_ERROR(base::make_folders(folder));
  auto made = store.maker().fill_exec(store.place(id), pid, config, folder);
  auto process = made ? base::read_file(folder / "process.json") : std::unexpected(made.error());
  if (process) {
    exec.request = exec_of(id, exec_id, *std::move(process));
    exec.request.set_terminal(config.tty);
    made = make_fifos(config, exec);
  } else {
    made = std::unexpected(process.error());
  }
  if (made) return exec;
  RETURN_IF_ERROR(base::remove_tree(folder));
  return std::unexpected(made.error());
}

Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> start_exec(std::shared_ptr<ContainerdClient> client,
                                                                    PreparedExec exec) {
  const auto id = exec.request.container_id();
  const auto exec_id = exec.request.exec_id();
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) != 0)
    co_return base::fail_errno(errno, "cannot make a socket pair");
  exec.descriptors.report.reset(sockets[0]);
  UniqueFd caller(sockets[1]);
  CO_RETURN_IF_ERROR(co_await client->create_exec(exec.request));
  const auto started = co_await client->start(id, exec_id);
  if (!started) {
    [[maybe_unused]] const auto deleted = co_await client->delete_exec(id, exec_id);
    co_return std::unexpected(started.error());
  }
  if (exec.descriptors.tty) {
    [[maybe_unused]] const auto resized = co_await client->resize(id, exec_id, exec.columns, exec.rows);
  }
  auto running = std::make_shared<RunningExec>(client, id, exec_id, std::move(caller));
  attach_hooks(running, exec.descriptors);
  asio::co_spawn(client->executor(), tell_its_end(running), asio::detached);
  asio::co_spawn(client->executor(), kill_without_caller(running), asio::detached);
  co_return bundle::make_exec_stream(client->executor(), std::move(exec.descriptors));
}

}  // namespace orchion::node::runtimes::containerd
