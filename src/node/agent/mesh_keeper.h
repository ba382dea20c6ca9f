#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/co.h"
#include "base/random.h"
#include "base/worker_pool.h"
#include "node/agent/change_signal.h"
#include "node/agent/outbox.h"
#include "node/networks/mesh_keys.h"

namespace orchion::node::agent {

// Says how this node is reached through WireGuard, and gives it another key from time to time: the next one is told
// first, and used when the control plane has told it to all others, so that no loss of it leaves machines with keys
// that don't fit. Nodes that change at the same moment find each other seconds later only: each takes its time by
// chance within the last eighth of a key's life. One executor.
class MeshKeeper {
 public:
  struct Parts {
    base::Clock& clock;
    base::Random& random;
    Outbox& outbox;
    networks::MeshKeys* keys = nullptr;  // null: this node isn't in the mesh
    base::WorkerPool* workers = nullptr;
    std::function<std::string()> address;  // as AgentOptions::address
    base::Duration key_lifetime;
    std::function<bool()> connected;
  };
  MeshKeeper(base::Executor executor, Parts parts) : parts_(std::move(parts)), heard_(std::move(executor)) {}

  // For a hello; nullopt: not in the mesh.
  base::Co<std::optional<v1::NodeMesh>> describe();

  // Another session: it was told of the key in use.
  void session_began();

  // The control plane answered what was sent at `asked`, in this session; `is_told`: and what was sent before it is
  // stored and on its way to all.
  void answered(base::Time asked, bool is_told);

  // Until cancelled.
  base::Co<> keep();

 private:
  base::Co<bool> is_due();
  base::Co<> change_key();
  base::Co<> wait_told();
  base::Duration choose_lifetime();
  v1::NodeMesh mesh_of(std::string public_key) const;

  Parts parts_;
  std::optional<base::Time> told_at_;  // the next key, which waits for the answer
  bool was_told_ = false;
  base::Duration lifetime_{};  // of the key in use
  ChangeSignal heard_;
};

}  // namespace orchion::node::agent
