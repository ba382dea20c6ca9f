#include "node/networks/tunnels.h"

#include <chrono>

#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "core/node_addresses.h"
#include "node/networks/links.h"
#include "node/networks/wiring.h"

namespace orchion::node::networks {
namespace {

constexpr auto kLook = std::chrono::seconds(1);
constexpr auto kPendingLook = std::chrono::milliseconds(20);

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

base::Result<WireguardKey> read_key(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(auto text, base::read_file(file));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto key = parse_wireguard_key(text);
  if (key) return *key;
  return base::fail(base::Code::kDataLoss,
                    file.string() + " holds no key: remove it, and this machine makes itself another");
}

base::Result<WireguardKey> make_key(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(const auto key, wire::tls::make_x25519_key());
  RETURN_IF_ERROR(base::make_folders(file.parent_path()));
  RETURN_IF_ERROR(base::write_file_durably(file, to_base64(key) + "\n", 0600));
  return key;
}

std::string public_text(const WireguardKey& key) {
  const auto half = wire::tls::x25519_public_key(key);
  return half ? to_base64(*half) : std::string();
}

}  // namespace

Tunnels::Tunnels(Options options, std::unique_ptr<WireguardEngine> engine, WireguardKey key)
    : options_(std::move(options)), names_(options_.cluster_short_id), engine_(std::move(engine)), key_(key) {}

base::Result<std::shared_ptr<Tunnels>> Tunnels::open(Options options, std::unique_ptr<WireguardEngine> engine) {
  const auto file = options.key_folder / "mesh.key";
  auto key = read_key(file);
  if (!key && key.error().code == base::Code::kNotFound) key = make_key(file);
  if (!key) return std::unexpected(key.error());
  return std::shared_ptr<Tunnels>(new Tunnels(std::move(options), std::move(engine), *key));
}

std::string Tunnels::public_key() const {
  const std::lock_guard lock(mutex_);
  return public_text(key_);
}

base::Result<base::WallTime> Tunnels::made_at() const {
  struct stat found{};
  if (::stat(key_file().c_str(), &found) != 0) return base::fail_errno(errno, "reading " + key_file().string());
  return base::WallTime(std::chrono::seconds(found.st_mtim.tv_sec) + std::chrono::nanoseconds(found.st_mtim.tv_nsec));
}

base::Result<std::string> Tunnels::make_next() {
  ASSIGN_OR_RETURN(const auto key, make_key(next_key_file()));
  return public_text(key);
}

// The file first: whoever comes after a crash goes on with it.
base::Result<> Tunnels::use_next() {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const auto key, read_key(next_key_file()));
  RETURN_IF_ERROR(base::write_file_durably(key_file(), to_base64(key) + "\n", 0600));
  RETURN_IF_ERROR(base::remove_tree(next_key_file()));
  key_ = key;
  return wanted_ ? bring_up_locked() : base::Result<>{};
}

base::Result<> Tunnels::lead(Ipv4 own, Ipv4 machine, std::vector<TunnelPeer> peers) {
  const std::lock_guard lock(mutex_);
  // With another address within it is another link.
  if (wanted_ && wanted_->own != own) RETURN_IF_ERROR(engine_->remove(names_.tunnel()));
  wanted_ = Wanted{own, machine, std::move(peers)};
  return bring_up_locked();
}

base::Result<> Tunnels::bring_up_locked() {
  RETURN_IF_ERROR(engine_->ensure(names_.tunnel()));
  ASSIGN_OR_RETURN(const auto device, engine_->read(names_.tunnel()));
  const auto step = plan_wireguard(device, {key_, options_.port, wanted_->peers}, told_, now_seconds());
  if (!step.change.empty()) RETURN_IF_ERROR(engine_->apply(names_.tunnel(), step.change));
  pending_ = step.pending;
  told_.clear();
  for (const auto& peer : wanted_->peers) told_[peer.key] = peer.endpoint;

  return set_up_link_locked();
}

// All of it where the link is another than before, for nothing else takes it away.
base::Result<> Tunnels::set_up_link_locked() {
  ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
  ASSIGN_OR_RETURN(const Link way, link_with_address(socket, wanted_->machine));
  ASSIGN_OR_RETURN(const Link link, find_link(socket, names_.tunnel()));
  const int mtu = way.mtu - kWireguardBytes;
  if (link.index == set_up_index_ && link.up && link.mtu == mtu) return {};
  const auto& range = core::kTunnelAddresses;
  const std::string action = "setting up the tunnel " + link.name;
  NetlinkSteps steps;
  steps.add_optional(without_ipv6(link.name));
  steps.add(with_mtu(link.name, mtu), action);
  steps.add(add_address(link.index, wanted_->own, 32), action);
  steps.add(bring_up(link.name), action);
  steps.add(put_route(Route<Ipv4>{.link_index = link.index,
                                  .to = Ipv4{range.base},
                                  .prefix_length = range.prefix,
                                  .gateway = {},
                                  .source = wanted_->own,
                                  .metric = names_.route_metric()}),
            action);
  RETURN_IF_ERROR(steps.run(socket));
  set_up_index_ = link.index;
  return {};
}

// Whether to look again soon.
base::Result<bool> Tunnels::look() {
  const std::lock_guard lock(mutex_);
  if (!wanted_) return false;
  RETURN_IF_ERROR(bring_up_locked());
  return pending_;
}

base::Co<> Tunnels::keep(base::Clock& clock, base::WorkerPool& workers) {
  std::string said;
  while (true) {
    auto job = [self = shared_from_this()] { return self->look(); };
    auto looked = co_await workers.run(std::move(job));
    if (!looked && looked.error().message != said) base::log::warn("the mesh: {}", looked.error().message);
    said = looked ? "" : looked.error().message;
    CO_RETURN_IF_ERROR(co_await clock.sleep(looked && *looked ? base::Duration(kPendingLook) : base::Duration(kLook)));
  }
}

base::Result<> Tunnels::remove() {
  const std::lock_guard lock(mutex_);
  wanted_.reset();
  told_.clear();
  return engine_->remove(names_.tunnel());
}

}  // namespace orchion::node::networks
