#include "node/networks/uplink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <future>
#include <vector>

#include "base/log.h"
#include "base/process.h"
#include "base/spawn_actions.h"
#include "node/networks/addresses.h"
#include "node/networks/links.h"
#include "node/networks/namespaces.h"
#include "node/networks/uplink_api.h"

namespace orchion::node::networks {
namespace {

namespace fs = std::filesystem;

constexpr auto kLook = std::chrono::seconds(2);
constexpr int kReadyLimitMs = 10'000;

// The program's inherited descriptors.
constexpr int kReadyFd = 3;
constexpr int kLockFd = 4;

// Locked for as long as the program lives; its pid is in it.
fs::path lock_path(const fs::path& folder) {
  return folder / "uplink.pid";
}

pid_t read_pid(const fs::path& folder) {
  return std::atoi(base::read_file(lock_path(folder)).value_or("").c_str());
}

struct Lock {
  base::UniqueFd file;
  bool is_ours = false;  // nobody else has it
};

base::Result<Lock> try_lock(const fs::path& folder) {
  const auto path = lock_path(folder);
  Lock lock{base::UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600))};
  if (!lock.file) return base::fail_errno(errno, "cannot open " + path.string());
  lock.is_ours = ::flock(lock.file.get(), LOCK_EX | LOCK_NB) == 0;
  return lock;
}

base::Result<pid_t> spawn(const std::string& program, const fs::path& network, const fs::path& api, int ready, int lock,
                          int log) {
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
  // Of a size that a bridge's packets never reach, in addresses that documentation has to itself. Refusing
  // the machine's loopback is the firewall's: its own option refuses answers to the machine's UDP clients too.
  std::vector<std::string> arguments = {"slirp4netns",
                                        "--configure",
                                        "--mtu=65520",
                                        fmt::format("--cidr={}", kRangeApart),
                                        "--disable-dns",
                                        "--netns-type=path",
                                        fmt::format("--ready-fd={}", kReadyFd),
                                        "--api-socket=" + api.string(),
                                        network.string(),
                                        "tap0"};
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions.files, &actions.attributes, argv.data(), ::environ);
  if (failed != 0) return base::fail_errno(failed, "cannot start " + program);
  return pid;
}

fs::path socket_path(const fs::path& folder) {
  return folder / "uplink.sock";
}

// Returns whether it was started now.
base::Result<bool> start_in(const fs::path& network, const fs::path& folder) {
  ASSIGN_OR_RETURN(const auto lock, try_lock(folder));
  if (!lock.is_ours) return false;
  if (const pid_t former = read_pid(folder); former > 1) ::waitpid(former, nullptr, WNOHANG);  // it may be our child
  ASSIGN_OR_RETURN(const auto program, base::find_program("slirp4netns"));
  const auto log_path = folder / "uplink.log";
  const base::UniqueFd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!log) return base::fail_errno(errno, "cannot write " + log_path.string());
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return base::fail_errno(errno, "cannot create a pipe");
  const base::UniqueFd ready(fds[0]);
  base::UniqueFd theirs(fds[1]);
  ASSIGN_OR_RETURN(auto ready_up, base::move_up(theirs.get()));
  ASSIGN_OR_RETURN(const auto lock_up, base::move_up(lock.file.get()));
  ASSIGN_OR_RETURN(const auto log_up, base::move_up(log.get()));
  ASSIGN_OR_RETURN(const pid_t pid,
                   spawn(program, network, socket_path(folder), ready_up.get(), lock_up.get(), log_up.get()));
  theirs.reset();
  ready_up.reset();
  const auto text = fmt::format("{}\n", pid);
  if (::ftruncate(lock.file.get(), 0) != 0 || ::pwrite(lock.file.get(), text.data(), text.size(), 0) < 0)
    return base::fail_errno(errno, "cannot write " + lock_path(folder).string());
  pollfd wait{ready.get(), POLLIN, 0};
  char byte = 0;
  if (::poll(&wait, 1, kReadyLimitMs) == 1 && ::read(ready.get(), &byte, 1) == 1) return true;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("slirp4netns gives the containers no way out: {}",
                                base::read_file(log_path).value_or("it did not say why")));
}

// The machine's 127.0.0.1 has an address in the namespace.
base::Result<> add_stand_in(const fs::path& network) {
  NamespaceWork work;
  work.inside = [](int) -> base::Result<> {
    ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
    ASSIGN_OR_RETURN(const auto loopback, find_link(socket, "lo"));
    ASSIGN_OR_RETURN(const auto address, parse_ipv4(kLoopbackApart));
    return socket.run_one(add_address(loopback.index, address, 32), "adding an address for published ports");
  };
  return run_in_namespace(network, std::move(work));
}

}  // namespace

Uplink::Uplink(base::Clock& clock, base::WorkerPool& workers, fs::path network, fs::path folder,
               std::function<void(pid_t)> started)
    : clock_(clock),
      workers_(workers),
      network_(std::move(network)),
      folder_(std::move(folder)),
      started_(std::move(started)) {}

base::Result<> Uplink::start() {
  const std::lock_guard lock(mutex_);
  return start_locked();
}

template <class Job>
auto Uplink::on_machine(Job job) -> decltype(job()) {
  auto done = std::make_shared<std::promise<decltype(job())>>();
  workers_.post([done, job] { done->set_value(job()); });
  return done->get_future().get();
}

// In the machine's network alone: the program lives in the one that it is started in. A new one knows no ports.
base::Result<> Uplink::start_locked() {
  ASSIGN_OR_RETURN(const bool is_new, start_in(network_, folder_));
  if (!is_new) return {};
  if (started_) started_(read_pid(folder_));
  RETURN_IF_ERROR(add_stand_in(network_));
  for (const auto& port : wanted_) RETURN_IF_ERROR(add_forward(socket_path(folder_), port));
  return {};
}

base::Result<> Uplink::forward(const HostPort& port) {
  const PortKey key{port.host_ip, port.udp, port.port};
  if (!key.host_ip.empty() && key.host_ip != kLoopback)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("without root port {} is published on every address or on 127.0.0.1: leave {} out",
                                  port.port, port.host_ip));
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(on_machine([this] { return start_locked(); }));
  ASSIGN_OR_RETURN(const auto present, list_forwards(socket_path(folder_)));
  const bool is_there = std::ranges::any_of(present, [&](const Forward& each) { return each.port == key; });
  if (!is_there) {
    // It says nothing of why it can't have a port: having had it for a moment does.
    RETURN_IF_ERROR(on_machine([port]() -> base::Result<> {
      const auto held = hold_port(port);
      return held ? base::Result<>{} : std::unexpected(held.error());
    }));
    RETURN_IF_ERROR(add_forward(socket_path(folder_), key));
  }
  wanted_.insert(key);
  return {};
}

base::Result<base::UniqueFd> Uplink::have(const HostPort& port) {
  if (port.host_ip.find(':') != std::string::npos) return on_machine([port] { return hold_port(port); });
  RETURN_IF_ERROR(forward(port));
  return base::UniqueFd();
}

base::Result<> Uplink::retain(const std::set<PortKey>& ports) {
  const std::lock_guard lock(mutex_);
  std::erase_if(wanted_, [&](const PortKey& port) { return !ports.contains(port); });
  RETURN_IF_ERROR(on_machine([this] { return start_locked(); }));
  ASSIGN_OR_RETURN(const auto present, list_forwards(socket_path(folder_)));
  for (const auto& each : present) {
    if (!ports.contains(each.port)) RETURN_IF_ERROR(remove_forward(socket_path(folder_), each.id));
  }
  return {};
}

base::Co<> Uplink::keep() {
  std::string said;
  while (true) {
    CO_RETURN_IF_ERROR(co_await clock_.sleep(kLook));
    auto job = [self = shared_from_this()] { return self->start(); };
    auto there = co_await workers_.run(std::move(job));
    if (!there && there.error().message != said) base::log::warn("{}", there.error().message);
    said = there ? "" : there.error().message;
  }
}

base::Result<> Uplink::end(const fs::path& folder) {
  ASSIGN_OR_RETURN(const auto lock, try_lock(folder));
  if (lock.is_ours) return {};
  const pid_t pid = read_pid(folder);
  if (pid > 1 && ::kill(pid, SIGTERM) != 0 && errno != ESRCH) return base::fail_errno(errno, "cannot end slirp4netns");
  return {};
}

}  // namespace orchion::node::networks
