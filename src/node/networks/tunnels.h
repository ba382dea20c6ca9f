#pragma once

// The encrypted ways to other machines: one WireGuard link, whose keys are made here and changed.

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/co.h"
#include "base/worker_pool.h"
#include "node/networks/mesh_keys.h"
#include "node/networks/names.h"
#include "node/networks/wireguard.h"

namespace orchion::node::networks {

// Thread-safe; blocks, but for keep(). In the machine's network. The link outlives it.
class Tunnels final : public MeshKeys, public std::enable_shared_from_this<Tunnels> {
 public:
  struct Options {
    std::string cluster_short_id;
    std::filesystem::path key_folder;  // "mesh.key" and "mesh.key.next" are there, 0600
    std::uint16_t port = 0;            // UDP, on every address of the machine
  };

  // Makes the first key. kDataLoss: the one that is there is none.
  static base::Result<std::shared_ptr<Tunnels>> open(Options options, std::unique_ptr<WireguardEngine> engine);

  std::string engine() const override { return engine_->name(); }
  std::uint16_t port() const override { return options_.port; }
  std::string public_key() const override;
  base::Result<base::WallTime> made_at() const override;
  base::Result<std::string> make_next() override;
  base::Result<> use_next() override;

  // Brings the link there and to this: `own` is the machine's address within, `machine` that on the wire, the peers are
  // all there are.
  base::Result<> lead(Ipv4 own, Ipv4 machine, std::vector<TunnelPeer> peers);

  // Does so again whenever it isn't there any more, and goes on with keys that change, until it is cancelled.
  base::Co<> keep(base::Clock& clock, base::WorkerPool& workers);

  // The link, its program and its socket, also a former process's. Keys stay.
  base::Result<> remove();

 private:
  struct Wanted {
    Ipv4 own;
    Ipv4 machine;
    std::vector<TunnelPeer> peers;
  };

  Tunnels(Options options, std::unique_ptr<WireguardEngine> engine, WireguardKey key);
  std::filesystem::path key_file() const { return options_.key_folder / "mesh.key"; }
  std::filesystem::path next_key_file() const { return options_.key_folder / "mesh.key.next"; }
  base::Result<bool> look();
  base::Result<> bring_up_locked();
  base::Result<> set_up_link_locked();

  const Options options_;
  const Names names_;
  const std::unique_ptr<WireguardEngine> engine_;
  mutable std::mutex mutex_;  // guards what follows
  WireguardKey key_;
  std::optional<Wanted> wanted_;
  std::map<WireguardKey, WireguardEndpoint> told_;  // where peers said they are to be found
  int set_up_index_ = 0;                            // of the link with its address and route
  bool pending_ = false;                            // a peer's next key stands by
};

}  // namespace orchion::node::networks
