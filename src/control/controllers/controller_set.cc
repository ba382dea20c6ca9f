#include "control/controllers/controller_set.h"

#include <algorithm>

#include "control/controllers/garbage_controller.h"
#include "control/controllers/job_controller.h"
#include "control/controllers/network_controller.h"
#include "control/controllers/node_controller.h"
#include "control/controllers/placement_controller.h"
#include "control/controllers/rebalance_controller.h"
#include "control/controllers/run_controller.h"
#include "control/controllers/service_controller.h"
#include "control/controllers/stack_controller.h"

#include "core/lifecycle.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

// Most changes of a task are steps of its state, which take and free nothing.
bool takes_the_same(const v1::Task& before, const v1::Task& after) {
  return before.spec().has_assignment() == after.spec().has_assignment() &&
         core::is_deleted(before.meta()) == core::is_deleted(after.meta()) &&
         core::is_terminal(before.status().state()) == core::is_terminal(after.status().state());
}

bool takes_the_same(const v1::Service& before, const v1::Service& after) {
  const auto& had = before.status().virtual_addresses();
  const auto& has = after.status().virtual_addresses();
  return std::equal(had.begin(), had.end(), has.begin(), has.end(),
                    [](const auto& a, const auto& b) { return is_same(a, b); });
}

}  // namespace

ControllerSet::ControllerSet(base::Executor executor, store::ObjectStore& objects, base::Clock& clock,
                             base::Random random, NodeLiveness& liveness, ControllerOptions options)
    : objects_(objects) {
  const Context context{executor, objects, clock, allocations_, liveness, options};
  const auto own = [&random] { return base::Random(random.next()); };
  controllers_.push_back(std::make_unique<StackController>(context, own()));
  controllers_.push_back(std::make_unique<NetworkController>(context, own()));
  controllers_.push_back(std::make_unique<ServiceController>(context, own()));
  controllers_.push_back(std::make_unique<JobController>(context, own()));
  controllers_.push_back(std::make_unique<RunController>(context, own()));
  controllers_.push_back(std::make_unique<PlacementController>(context, own()));
  controllers_.push_back(std::make_unique<NodeController>(context, own()));
  auto rebalance = std::make_unique<RebalanceController>(context, own());
  rebalance_ = rebalance.get();
  controllers_.push_back(std::move(rebalance));
  controllers_.push_back(std::make_unique<GarbageController>(context, own()));
}

ControllerSet::~ControllerSet() = default;

void ControllerSet::start() {
  // Before any controller hears of a commit, so that each plans with what is taken as of that commit.
  subscription_ = objects_.subscribe([this](const std::shared_ptr<const store::ObjectStore::Commit>& commit) {
    for (const auto& change : commit->changes) follow(change);
  });
  for (const auto& [name, task] : objects_.view().tasks().all()) take_in(*task);
  for (const auto& [name, service] : objects_.view().services().all()) allocations_.put(*service);
  for (const auto& controller : controllers_) controller->start();
}

base::Co<> ControllerSet::shutdown() {
  for (const auto& controller : controllers_) CO_RETURN_IF_ERROR(co_await controller->shutdown());
  subscription_.reset();
  co_return base::Result<>{};
}

base::Co<v1::RebalanceResponse> ControllerSet::rebalance(v1::RebalanceRequest request, std::string actor) {
  return rebalance_->rebalance(std::move(request), std::move(actor));
}

void ControllerSet::follow(const store::ObjectChange& change) {
  if (change.kind == "Service") return follow(before<v1::Service>(change), after<v1::Service>(change));
  if (change.kind != "Task") return;
  if (!change.after) return allocations_.erase(before<v1::Task>(change)->meta().uid());
  const auto* was = before<v1::Task>(change);
  const auto* is = after<v1::Task>(change);
  if (was == nullptr || !takes_the_same(*was, *is)) take_in(*is);
}

void ControllerSet::follow(const v1::Service* before, const v1::Service* after) {
  if (after == nullptr) return allocations_.erase(before->meta().uid());
  if (before == nullptr || !takes_the_same(*before, *after)) allocations_.put(*after);
}

void ControllerSet::take_in(const v1::Task& task) {
  const auto revision = objects_.view().template_of(task);
  allocations_.put(task, revision ? Cost::of(revision->spec().template_().container()) : Cost{});
}

}  // namespace orchion::control::controllers
