#pragma once

// What all controllers share: a loop that plans from the view and performs the plan.

#include <memory>
#include <string>

#include "control/controllers/allocations.h"
#include "control/controllers/node_liveness.h"
#include "control/controllers/plan.h"
#include "control/controllers/reconcile_loop.h"
#include "control/controllers/record_retention.h"
#include "control/store/object_store.h"

namespace orchion::control::controllers {

struct ControllerOptions {
  base::Duration node_lost_after = std::chrono::seconds(30);
  // Silence is measured this often; a server that didn't get to it for half of `node_lost_after` wasn't serving.
  base::Duration node_check_every = std::chrono::seconds(1);
  std::size_t events_kept = 10'000;
  RecordLimits records = {};
  bool rebalance = false;       // tasks move by themselves once a node has come, see RebalanceController
  std::string cluster_id = {};  // what the cluster's own IPv6 prefix is made of
};

// What every controller is given. All of it outlives the controllers.
struct Context {
  base::Executor executor;
  store::ObjectStore& objects;
  base::Clock& clock;
  Allocations& allocations;
  NodeLiveness& liveness;
  ControllerOptions options;
};

// Reads the view, plans, commits: `plan` is called with a key that something changed about, and again after each of
// its own commits, until it has nothing to do. Controllers don't know each other; they meet in the store.
class Controller {
 public:
  Controller(const Context& context, base::Random random, std::string name, int workers);
  virtual ~Controller() = default;
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // Once, when the store's view is loaded. The destructor may run when shutdown() has returned.
  void start();
  base::Co<> shutdown();

 protected:
  // Takes the snapshot and calls the pure planner. Never waits.
  virtual Plan plan(const Key& key) = 0;

  // Enqueues what the change concerns.
  virtual void on_change(const store::ObjectChange& change) = 0;

  // Enqueues everything there is.
  virtual void enqueue_all() = 0;

  void enqueue(std::string kind, store::ObjectName name) { loop_.enqueue({std::move(kind), std::move(name)}); }

  const store::View& view() const { return context_.objects.view(); }
  Now now() const { return {context_.clock.now(), context_.clock.wall()}; }

  Context context_;
  base::Random random_;

 private:
  base::Co<std::optional<base::Time>> step(Key key);

  ReconcileLoop loop_;
  int workers_;
  std::shared_ptr<void> subscription_;
};

// The two sides of a change as what they are; null where there is none.
template <class T>
const T* before(const store::ObjectChange& change) {
  return static_cast<const T*>(change.before.get());
}
template <class T>
const T* after(const store::ObjectChange& change) {
  return static_cast<const T*>(change.after.get());
}

}  // namespace orchion::control::controllers
