#pragma once

// One machine of a simulated cluster: what outlives an agent, the agent, and the way to the control plane.

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "core/methods.h"
#include "daemon/local_link.h"
#include "node/agent/agent.h"
#include "node/images/fake_images.h"
#include "node/networks/fake_networks.h"
#include "node/runtimes/fake/fake_runtime.h"
#include "node/volumes/folder_volumes.h"

namespace orchion::testing {

// A way to a control plane that may be away, or be another one by the next call. One executor.
class BreakableLink final : public node::agent::ControlLink {
 public:
  explicit BreakableLink(base::Executor executor) : executor_(std::move(executor)) {}

  // From now on calls reach `methods`, which stays until cut() has returned.
  void connect(const core::MethodTable& methods);

  // Ends every call; from now on nobody answers.
  base::Co<> cut();

  bool connected() const { return link_ != nullptr; }

  base::Co<std::unique_ptr<node::agent::SessionStream>> open_session() override;
  base::Co<std::unique_ptr<node::agent::DataStream>> open_stream() override;

 private:
  base::Executor executor_;
  std::unique_ptr<base::TaskGroup> calls_;
  std::unique_ptr<daemon::LocalLink> link_;
};

// Everything belongs to the cluster's one executor.
class Machine {
 public:
  // Keeps the agent's checkpoints in `folder`, which the caller removes. `clock` outlives it.
  Machine(base::Executor executor, base::Clock& clock, std::string hostname, std::filesystem::path folder,
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
  base::Clock& clock_;
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
