#include "node/networks/uplink.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <vector>

#include "base/log.h"
#include "node/networks/addresses.h"
#include "node/networks/lasting_program.h"
#include "node/networks/links.h"
#include "node/networks/namespaces.h"
#include "node/networks/uplink_api.h"

namespace orchion::node::networks {
namespace {

namespace fs = std::filesystem;

constexpr auto kLook = std::chrono::seconds(2);
constexpr int kReadyLimitMs = 10'000;

fs::path notes_of(const fs::path& folder) {
  return folder / "uplink";
}

fs::path socket_path(const fs::path& folder) {
  return folder / "uplink.sock";
}

// Returns whether it was started now.
base::Result<bool> start_in(const fs::path& network, const fs::path& folder) {
  // Of a size that a bridge's packets never reach, in addresses that documentation has to itself. Refusing
  // the machine's loopback is the firewall's: its own option refuses answers to the machine's UDP clients too.
  const LastingProgram program{notes_of(folder),
                               {"slirp4netns", "--configure", "--mtu=65520", fmt::format("--cidr={}", kRangeApart),
                                "--disable-dns", "--netns-type=path", fmt::format("--ready-fd={}", kReadyFd),
                                "--api-socket=" + socket_path(folder).string(), network.string(), "tap0"}};
  return start_lasting(program, [](int pipe) -> base::Result<> {
    pollfd wait{pipe, POLLIN, 0};
    char byte = 0;
    if (::poll(&wait, 1, kReadyLimitMs) == 1 && ::read(pipe, &byte, 1) == 1) return {};
    return base::fail(base::Code::kFailedPrecondition, "slirp4netns gives the containers no way out");
  });
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
  if (started_) started_(pid_of_lasting(notes_of(folder_)));
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
  return end_lasting(notes_of(folder));
}

}  // namespace orchion::node::networks
