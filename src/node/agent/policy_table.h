#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "core/network_policy.h"
#include "node/networks/policy_rules.h"
#include "v1/dispatcher.pb.h"

namespace orchion::node::agent {

// Who may talk to whom on this node, by address: from the cluster's policies, from all tasks of this node's networks
// wherever they run, and from what names of hosts outside were last told to mean. Pure; a value.
//
// One that comes or goes costs by the rules that mean it and by the tasks that share its groups, not by what else there
// is. Ranges never mean tasks: the subnets of this node's networks are taken out of them.
class PolicyTable {
 public:
  // All of them, in place of those before.
  void set_policies(const v1::PolicyAssignments& policies);

  void put_network(const v1::NetworkAssignment& network);
  void remove_network(const std::string& uid);

  void put_endpoint(const v1::Endpoint& endpoint);
  void remove_endpoint(const std::string& task_uid, const std::string& network_uid);

  // The task is on this node: only of these anything is said to the kernel.
  void hold(const std::string& task_uid);
  void release(const std::string& task_uid);

  // Whether a policy allows a host of that name, so that its addresses are worth telling.
  bool asks_for(std::string_view name) const;

  // What a name was just answered with: allowed from now on until max(ttl, 60 s) after its last answer. What no policy
  // asks for is passed over, and so are addresses of the cluster's own networks: no answer from outside opens those.
  // Told to the kernel before the answer goes to who asked, its first connection passes.
  void learn(std::string_view name, const std::vector<std::string>& addresses, base::Duration ttl, base::Time now);

  // Forgets what has expired.
  void expire(base::Time now);
  std::optional<base::Time> next_expiry() const;

  // Brings result() up to date with all that was said; false where nothing in it differs.
  bool update();

  // What the kernel shall hold, as of the last update().
  const networks::Policies& result() const { return result_; }

 private:
  struct RuleKey {
    std::string policy;  // "shop/web-only"
    core::Direction direction = core::Direction::kIngress;
    int index = 0;
    auto operator<=>(const RuleKey&) const = default;
  };
  struct Task {
    core::PolicyTask identity;
    std::map<std::string, std::vector<std::string>> addresses;  // by network uid
  };
  struct Group {
    core::Direction direction = core::Direction::kIngress;
    std::vector<std::string> policies;
    std::set<std::string> tasks;  // uids, of this node
  };
  struct Learned {
    std::map<std::string, base::Time> addresses;  // until when
  };
  using Names = std::map<std::string, Learned, std::less<>>;

  void rebuild();
  void count_task(const Task& task, int by);
  void count_name(const std::string& name, const std::string& address, int by);
  void count(const RuleKey& key, const std::string& address, int by);
  void forget(Names::iterator name, const std::string& address);
  void make_room();
  void place(const std::string& task_uid);
  std::optional<std::string> join_group(const std::string& task_uid, const Task& task, core::Direction direction);
  void leave_groups(const std::string& task_uid);
  void touch_ranges();
  bool is_of_networks(const core::IpAddress& address) const;

  networks::PolicyGroup content_of(const Group& group) const;
  std::vector<std::string> exceptions_of(const v1::PolicyPeer& peer) const;
  std::optional<networks::TaskPolicy> task_policy(const std::string& task_uid) const;

  std::map<std::string, v1::PolicyAssignment> policies_;       // by name
  std::map<std::string, std::vector<core::IpRange>> subnets_;  // by network uid
  std::map<std::string, Task> tasks_;                          // by uid
  std::set<std::string> held_;
  Names names_;
  std::size_t names_size_ = 0;  // addresses in it

  std::map<RuleKey, std::map<std::string, int>> members_;  // addresses, by how many mean them
  std::map<std::string, Group> groups_;                    // by name
  std::map<std::pair<std::string, core::Direction>, std::set<std::string>> groups_of_policy_;
  std::map<std::string, std::pair<std::optional<std::string>, std::optional<std::string>>> groups_of_task_;

  networks::Policies result_;
  std::set<std::string> touched_groups_;
  std::set<std::string> touched_tasks_;
};

}  // namespace orchion::node::agent
