#pragma once

// What one node must know, computed from the view: its tasks, their networks, who is there and answers to which name,
// which ports lead away, and which HTTP routes it serves.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "control/services/distant_ports.h"
#include "control/services/peer_feed.h"
#include "control/services/policy_feed.h"
#include "control/services/route_feed.h"
#include "control/store/object_store.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

// Names lead to what can answer.
bool is_reachable(const v1::Task& task);

// From its assignment to its end: it may send packets, or is about to.
bool is_in_networks(const v1::Task& task);

// To those who share a network with its tasks.
bool is_known_otherwise(const v1::Service& before, const v1::Service& after);

// Remembers what one session was told, and says what to tell it next. Not a coroutine, no I/O.
class AssignmentFeed {
 public:
  // `certificate_for`: as RouteFeed's; may be empty.
  explicit AssignmentFeed(std::string node_uid, CertificateFor certificate_for = {})
      : node_uid_(std::move(node_uid)),
        distant_ports_(node_uid_),
        peers_(node_uid_),
        routes_(node_uid_, std::move(certificate_for)) {}

  // The full set, sequence number 1.
  v1::Assignments full(const store::View& view);

  // What a commit changed for this node; nullopt: nothing.
  std::optional<v1::Assignments> delta(const store::View& view, const store::ObjectStore::Commit& commit);

  // What time changed: certificates of routes that are due; nullopt: nothing.
  std::optional<v1::Assignments> renew(const store::View& view);

  // What this node's words depend on beside its tasks: see FeedIndex.
  const std::string& node_uid() const { return node_uid_; }
  const std::set<std::string>& networks() const { return networks_; }  // uids told
  bool needs_peers() const;                                            // packets go from here to other nodes
  bool has_routes(const store::View& view) const;

 private:
  void visit_task(const store::View& view, const v1::Task* before, const v1::Task* after, v1::Assignments& out);
  void add_task(const store::View& view, const v1::Task& task, v1::Assignments& out);
  void drop_task(const std::string& uid, v1::Assignments& out);
  void add_networks(const store::View& view, const v1::Task& task, v1::Assignments& out);
  void join_network(const store::View& view, const std::string& uid, v1::Assignments& out);
  bool tell_routes(const store::View& view, v1::Assignments& out);
  std::optional<v1::Assignments> numbered(v1::Assignments out);
  void drop_unused_networks(v1::Assignments& out);
  void visit_volume(const v1::Volume& volume, v1::Assignments& out) const;
  void visit_network(const v1::Network* before, const v1::Network& network, v1::Assignments& out) const;
  void visit_node(const store::View& view, const v1::Node& before, const v1::Node& after, v1::Assignments& out);
  void visit_service(const store::View& view, const v1::Service& before, const v1::Service& after,
                     v1::Assignments& out);
  void visit_endpoints(const store::View& view, const v1::Task* before, const v1::Task* after, v1::Assignments& out);
  void tell_endpoints_anew(const store::View& view, const v1::Task& task, v1::Assignments& out);
  void tell_distant_ports(const store::View& view, v1::Assignments& out);
  bool is_mine(const v1::Task& task) const { return task.spec().assignment().node_uid() == node_uid_; }

  std::string node_uid_;
  std::uint64_t sequence_ = 0;
  std::map<std::string, std::set<std::string>> tasks_;  // uid → its networks' uids
  std::set<std::string> networks_;                      // uids told
  // Task uid and network uid → told as serving; nullopt: told, but no longer as it is.
  std::map<std::pair<std::string, std::string>, std::optional<bool>> endpoints_;
  DistantPortTable distant_ports_;
  v1::DistantPorts told_ports_;
  PolicyFeed policies_;
  PeerFeed peers_;
  RouteFeed routes_;
};

// The task with all that a node needs to start it; nullopt where its revision is gone.
std::optional<v1::TaskAssignment> assignment_of(const store::View& view, const v1::Task& task);

}  // namespace orchion::control::services
