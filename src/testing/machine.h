#pragma once

// One machine of a simulated cluster: what outlives an agent, the agent, and the way to the control plane.

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/task_group.h"
#include "node/agent/agent.h"
#include "node/images/fake_images.h"
#include "node/networks/fake_networks.h"
#include "node/runtimes/fake/fake_runtime.h"
#include "node/volumes/folder_volumes.h"
#include "testing/breakable_link.h"
#include "testing/skewed_clock.h"

namespace orchion::testing {

// Everything belongs to the cluster's one executor.
class Machine {
 public:
  // Keeps the agent's checkpoints in `folder`, which the caller removes. `true_clock` outlives it.
  Machine(base::Executor executor, base::Clock& true_clock, std::string hostname, std::filesystem::path folder,
          std::uint64_t seed);

  base::Co<> start_agent();
  base::Co<> kill_agent();
  bool has_agent() const { return agent_ != nullptr; }
  const node::agent::Agent* agent() const { return agent_.get(); }

  // With no agent: all containers end, and what the kernel held is gone.
  void lose_power();

  const std::string& hostname() const { return hostname_; }

  // All the runtime has; an id is its task's uid.
  std::vector<node::runtimes::ContainerInfo> containers();

  // What is left on it, a sentence each; images don't count.
  std::vector<std::string> leftovers();

  SkewedClock clock;  // of its agent; what the hardware does takes true time
  BreakableLink link;
  node::runtimes::fake::FakeMachine hardware;
  node::images::FakeImages images;
  node::networks::FakeNetworks networks;
  node::volumes::FakeVolumes volumes;

 private:
  class FakeResolver final : public node::agent::Resolver {
   public:
    base::Co<> add_address(std::string address) override;
    void remove_address(const std::string& address) override { addresses.erase(address); }
    std::uint16_t port() const override { return 5355; }

    std::set<std::string> addresses;
  };

  node::agent::AgentOptions agent_options() const;

  base::Executor executor_;
  std::string hostname_;
  std::filesystem::path folder_;
  base::Random random_;
  int boots_ = 1;
  node::runtimes::fake::FakeRuntime runtime_{hardware};
  node::agent::Executors executors_{{{.name = "oci", .runtime = runtime_, .images = &images}}};
  FakeResolver resolver_;
  std::optional<mesh::dns::RecordTable> records_;
  std::unique_ptr<base::TaskGroup> group_;
  std::unique_ptr<node::agent::Agent> agent_;
};

}  // namespace orchion::testing
