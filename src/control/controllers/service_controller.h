#pragma once

#include <set>
#include <string>

#include "control/controllers/controller.h"
#include "control/controllers/seen_times.h"
#include "control/controllers/service_planner.h"

namespace orchion::control::controllers {

// Services to revisions and tasks; see plan_service. A step costs by the tasks of its service and the number of nodes,
// not by the tasks of the cluster.
class ServiceController final : public Controller {
 public:
  ServiceController(const Context& context, base::Random random);

 private:
  Plan plan(const Key& key) override;
  void on_change(const store::ObjectChange& change) override;
  void enqueue_all() override;

  ServiceSnapshot snapshot(const store::ObjectName& name);
  void on_service(const store::ObjectName& name, const v1::Service* before, const v1::Service* after);
  void enqueue_sharers(const store::ObjectName& name);
  void enqueue_dependents(const store::ObjectName& name);
  void enqueue_lacking();
  void enqueue_services_of_node(const std::string& node_uid);
  void on_node(const v1::Node* before, const v1::Node* after);

  ListedNodes nodes_;
  SeenTimes seen_;
  std::set<store::ObjectName> lacking_;  // services without a virtual address that they are to have
};

// What placing tasks of these stacks, with these containers, needs to know.
ClusterSnapshot cluster_snapshot(const NodeList& nodes, const Allocations& allocations);
void add_stack(const store::View& view, const std::string& stack, ClusterSnapshot& cluster);
void add_container(const store::View& view, const std::string& stack, const v1::ContainerSpec& container,
                   ClusterSnapshot& cluster);

// All revisions of a service, in no particular order.
std::vector<RevisionPtr> revisions_of(const store::View& view, const store::ObjectName& service);

}  // namespace orchion::control::controllers
