#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/worker_pool.h"
#include "node/networks/batcher.h"
#include "node/networks/networks.h"
#include "node/networks/ruleset.h"

namespace orchion::node::networks {

class KernelNetworks;
class LoopbackRelay;
class Uplink;

// Networks on Linux: veth pairs, routes and a VXLAN by netlink, one nftables table, namespaces mounted as files, all
// made in this process, which needs root: of the machine, or of a user namespace with networks apart. Switches
// net.ipv4.ip_forward on and leaves it so.
//
// One executor; not thread-safe. The kernel's part runs on `workers`; a cancelled caller's step runs to its end there,
// and what it made stays until detach(). The constructor's thread and the workers must be in the machine's own network
// namespace. Destroying it leaves everything in the kernel as it is, except that published ports are no longer held
// and ::1 no longer served: attach() and publish() of a task that runs, after a restart, bring both back.
class LinuxNetworks final : public Networks {
 public:
  struct Options {
    std::string cluster_short_id;
    std::filesystem::path run_folder;  // namespaces are files in <run_folder>/netns, named as the task
    // A network namespace in which all of it is made, other than the machine's: see open_namespace(). Null: the
    // machine's.
    std::shared_ptr<const base::UniqueFd> apart;
    std::shared_ptr<Uplink> uplink;  // of that
  };

  LinuxNetworks(base::Executor executor, base::WorkerPool& workers, Options options);
  ~LinuxNetworks() override;

  base::Co<> set_address(std::string address, std::string cluster_id) override;
  base::Co<> set_peers(std::string host_address, std::vector<Peer> peers) override;
  base::Co<> ensure_network(NetworkConfig config) override;
  base::Co<> remove_network(std::string uid) override;
  base::Co<> set_remotes(std::string network_uid, std::vector<Remote> remotes) override;
  base::Co<> set_virtual_addresses(std::vector<VirtualAddress> addresses) override;
  base::Co<> set_policies(Policies policies) override;
  std::filesystem::path namespace_path(const std::string& task_uid) const override;
  base::Co<> attach(TaskNetwork task) override;
  base::Co<> attach_at(TaskNetwork task, std::filesystem::path path) override;
  base::Co<> publish(std::string task_uid) override;
  base::Co<> unpublish(std::string task_uid) override;
  base::Co<> set_distant_ports(std::vector<DistantPort> ports) override;
  base::Co<> detach(std::string task_uid) override;
  base::Co<> sweep(std::vector<std::string> network_uids, std::vector<std::string> task_uids) override;
  base::Co<> remove_all() override;
  base::Co<> set_resolver_port(std::uint16_t port) override;

 private:
  base::Result<> sync_relays();
  base::Co<> sync_ports();
  static std::shared_ptr<KernelNetworks> make_kernel(const Options& options);

  // On a thread in the networks' namespace.
  template <class Job>
  base::Co<> run(Job job);

  base::Executor executor_;
  const std::shared_ptr<const base::UniqueFd> apart_;
  const std::shared_ptr<Uplink> uplink_;
  std::unique_ptr<base::WorkerPool> own_workers_;  // which entered the namespace apart
  base::WorkerPool& workers_;
  std::shared_ptr<KernelNetworks> kernel_;  // jobs on the workers hold it too
  Batcher deletions_;                       // of what was released
  std::map<PortKey, std::unique_ptr<LoopbackRelay>> relays_;
};

}  // namespace orchion::node::networks
