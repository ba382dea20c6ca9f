#pragma once

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/co.h"
#include "mesh/ingress/ingress.h"
#include "node/agent/change_signal.h"

namespace orchion::node::agent {

// Has the machine's ingress lead requests where the routes say, to the tasks that serve. One executor.
class RouteKeeper {
 public:
  using ServersOf = std::function<std::vector<mesh::ingress::Server>(const v1::RouteAssignment&)>;

  // `ingress` outlives it; null: this machine has none, and nothing is done. `servers_of` is asked at each change.
  RouteKeeper(base::Executor executor, base::Clock& clock, mesh::ingress::Ingress* ingress, ServersOf servers_of)
      : clock_(clock), ingress_(ingress), servers_of_(std::move(servers_of)), changed_(executor), turn_(executor) {}

  void set_routes(const v1::RouteAssignments& routes);
  const v1::RouteAssignments& routes() const { return routes_; }

  // The control plane said all that it knows. Until then what is known is what an agent before this one wrote down,
  // which may be older than what it told its ingress last: one that runs goes on as it is.
  void take_over() { is_ours_ = true; }

  // Who serves is another, perhaps.
  void notify() { changed_.notify(); }

  // Requests go where they should when it returns.
  base::Co<> lead();

  // Until cancelled; one of it runs: what failed is tried again, whoever left is looked after until it is gone, and an
  // ingress that ended by itself is started anew.
  base::Co<> keep();

 private:
  base::Co<> look_after();

  base::Clock& clock_;
  mesh::ingress::Ingress* ingress_;
  ServersOf servers_of_;
  ChangeSignal changed_;
  ChangeSignal turn_;  // is over
  v1::RouteAssignments routes_;
  std::uint64_t version_ = 0;  // of the routes
  std::uint64_t led_version_ = 0;
  std::vector<std::vector<mesh::ingress::Server>> led_servers_;  // of each route
  bool led_ = false;                                             // as these say, and nobody is left behind
  bool is_ours_ = false;                                         // to be changed by what is known here
  bool busy_ = false;                                            // somebody tells the ingress
  std::string problem_;                                          // said last
};

}  // namespace orchion::node::agent
