#pragma once

#include <memory>
#include <vector>

#include "control/controllers/controller.h"
#include "v1/control.pb.h"

namespace orchion::control::controllers {

class RebalanceController;

// All controllers of a server, and what they share. One executor, the control loop. Everything given to the
// constructor outlives it.
class ControllerSet {
 public:
  // `random` decides names and choices among equals: the same seed and the same events give the same run.
  ControllerSet(base::Executor executor, store::ObjectStore& objects, base::Clock& clock, base::Random random,
                NodeLiveness& liveness, ControllerOptions options = {});
  ~ControllerSet();
  ControllerSet(const ControllerSet&) = delete;
  ControllerSet& operator=(const ControllerSet&) = delete;

  // When `objects` has started. Returns at once; the controllers run until shutdown().
  void start();

  // Returns when nothing of it runs any more; before `objects` is shut down.
  base::Co<> shutdown();

  // See RebalanceController.
  base::Co<v1::RebalanceResponse> rebalance(v1::RebalanceRequest request, std::string actor);

 private:
  void follow(const store::ObjectChange& change);
  void follow(const v1::Service* before, const v1::Service* after);
  void take_in(const v1::Task& task);

  store::ObjectStore& objects_;
  Allocations allocations_;
  std::vector<std::unique_ptr<Controller>> controllers_;
  RebalanceController* rebalance_ = nullptr;  // one of them
  std::shared_ptr<void> subscription_;
};

}  // namespace orchion::control::controllers
