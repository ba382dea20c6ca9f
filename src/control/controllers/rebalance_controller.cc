#include "control/controllers/rebalance_controller.h"

#include <fmt/core.h>

#include "control/controllers/service_controller.h"
#include "core/lifecycle.h"
#include "core/task_changes.h"

namespace orchion::control::controllers {

namespace {

bool moves(const v1::Task* task) {
  return task != nullptr && task->spec().has_move() && !core::is_deleted(task->meta());
}

bool is_ready(const v1::Node* node) {
  return node != nullptr && node->status().state() == v1::NodeStatus::READY &&
         node->spec().availability() == v1::NodeSpec::ACTIVE;
}

}  // namespace

base::Co<v1::RebalanceResponse> RebalanceController::rebalance(v1::RebalanceRequest request, std::string actor) {
  if (request.moves_max() > kMovesMax)
    co_return std::unexpected(base::Error{
        base::Code::kInvalidArgument,
        "more moves than one call may ask for",
        {{"/movesMax",
          fmt::format("{} is more than {}: ask again when those are done", request.moves_max(), kMovesMax)}}});
  const auto present = snapshot();
  auto planned = plan_rebalance(present, request.moves_max() == 0 ? kMovesUsual : request.moves_max());
  if (request.dry_run()) co_return planned;
  auto transactions = to_transactions(ask_for_moves(present, planned, actor, now()).units);
  for (auto& transaction : transactions) CO_RETURN_IF_ERROR(co_await context_.objects.commit(std::move(transaction)));
  co_return planned;
}

Plan RebalanceController::plan(const Key&) {
  const auto moving = moving_tasks();
  auto plan = begin_moves(moving, now());
  if (!due_) return plan;
  if (*due_ > now().time) {
    plan.wake(*due_);
  } else if (moving.empty()) {
    const auto present = snapshot();
    plan = ask_for_moves(present, plan_rebalance(present, kMovesUsual), core::controller_actor("rebalance"), now());
    asked_ = !plan.units.empty();
    if (!asked_) due_.reset();
  } else if (asked_) {
    due_.reset();  // they are durable
  }
  return plan;
}

void RebalanceController::on_change(const store::ObjectChange& change) {
  nodes_.follow(change);
  if (change.kind == "Task" && (moves(before<v1::Task>(change)) || moves(after<v1::Task>(change))))
    return enqueue("Moves", {});
  if (change.kind != "Node" || !context_.options.rebalance) return;
  if (is_ready(before<v1::Node>(change)) || !is_ready(after<v1::Node>(change))) return;
  wait_for_quiet();
  enqueue("Moves", {});
}

void RebalanceController::wait_for_quiet() {
  due_ = now().time + kQuietTime;
  asked_ = false;
}

void RebalanceController::enqueue_all() {
  if (context_.options.rebalance) wait_for_quiet();
  enqueue("Moves", {});
}

RebalanceSnapshot RebalanceController::snapshot() {
  RebalanceSnapshot result{cluster_snapshot(nodes_.of(view()), context_.allocations), {}};
  for (const auto& [name, service] : view().services().all()) {
    const auto revision = view().revisions().find(name.stack, service->status().revision());
    if (revision) add_container(view(), name.stack, revision->spec().template_().container(), result.cluster);
    result.services.push_back({service, revision, view().tasks_of_service(name.stack, name.name)});
  }
  return result;
}

std::vector<TaskPtr> RebalanceController::moving_tasks() const {
  std::vector<TaskPtr> result;
  for (const auto& [name, task] : view().tasks().all())
    if (moves(task.get())) result.push_back(task);
  return result;
}

}  // namespace orchion::control::controllers
