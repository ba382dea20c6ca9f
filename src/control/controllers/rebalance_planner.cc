#include "control/controllers/rebalance_planner.h"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/core.h>

#include "control/controllers/decisions.h"
#include "control/controllers/service_moves.h"
#include "core/lifecycle.h"
#include "core/shared_network.h"

namespace orchion::control::controllers {

namespace {

bool rests(const ServiceOnNodes& entry) {
  const auto& service = *entry.service;
  const auto& status = service.status();
  return entry.revision && !core::is_deleted(service.meta()) && !service.spec().stopped() && !status.updating() &&
         status.observed_generation() == service.meta().generation() && why_immovable(service.spec()).empty();
}

// Services to whose tasks others are bound.
std::set<store::ObjectName> needed_where_they_are(const RebalanceSnapshot& snapshot) {
  std::set<store::ObjectName> needed;
  for (const auto& [service, revision, tasks] : snapshot.services) {
    const auto& stack = service->meta().stack();
    if (core::shares_network(service->spec().container()))
      needed.insert({stack, service->spec().container().network_service()});
    for (const auto& affinity : service->spec().placement().affinities())
      if (!affinity.preferred() && affinity.service() != service->meta().name())
        needed.insert({stack, affinity.service()});
  }
  return needed;
}

TaskToPlace as_placed(const ServiceOnNodes& entry, const v1::Task& task) {
  TaskToPlace result{{entry.service->meta().stack(), entry.service->meta().name()}, entry.revision};
  result.rules = {entry.service, &entry.service->spec().placement()};
  result.strategy = strategy_of(result.rules);
  result.avoided.assign(task.spec().avoided_nodes().begin(), task.spec().avoided_nodes().end());
  result.slot = task.spec().slot();
  return result;
}

std::string tasks_text(std::uint32_t count) {
  return fmt::format("{} {}", count, count == 1 ? "task" : "tasks");
}

std::string percent(std::uint32_t milli) {
  return milli % 10 == 0 ? fmt::format("{} %", milli / 10) : fmt::format("{}.{} %", milli / 10, milli % 10);
}

std::string why(const scheduler::Move& move, const std::string& from, const std::string& to) {
  if (move.by_tasks)
    return fmt::format("node {} has {} and node {} {}", from, tasks_text(move.from_load.tasks), to,
                       move.to_load.tasks == 0 ? "none" : std::to_string(move.to_load.tasks));
  return fmt::format("of node {} {} is reserved and of node {} {}", from, percent(move.from_load.reserved_milli), to,
                     percent(move.to_load.reserved_milli));
}

v1::PlannedMove describe(const v1::Task& task, const std::string& to, const std::string& reason) {
  v1::PlannedMove move;
  move.set_stack(task.meta().stack());
  move.set_service(task.spec().service());
  move.set_task(task.meta().name());
  move.set_task_uid(task.meta().uid());
  move.set_slot(short_name(task));
  move.set_from(task.spec().assignment().node());
  move.set_to(to);
  move.set_reason(reason);
  return move;
}

}  // namespace

v1::RebalanceResponse plan_rebalance(const RebalanceSnapshot& snapshot, std::uint32_t moves_max) {
  v1::RebalanceResponse response;
  const auto needed = needed_where_they_are(snapshot);
  std::vector<TaskOnNode> placed;
  std::vector<TaskPtr> tasks;
  for (const auto& entry : snapshot.services) {
    for (const auto& task : entry.tasks)
      if (task->spec().has_move() && !core::is_deleted(task->meta()))
        *response.add_under_way() = describe(*task, task->spec().move().node(), task->spec().move().reason());
    if (!rests(entry) || needed.contains({entry.service->meta().stack(), entry.service->meta().name()})) continue;
    for (const auto& task : entry.tasks) {
      if (!may_move(*task) || task->spec().revision() != entry.revision->meta().name()) continue;
      placed.push_back({as_placed(entry, *task), task->spec().assignment().node_uid()});
      tasks.push_back(task);
    }
  }
  const auto nodes = snapshot.cluster.nodes.all();
  const auto name_of = [&](std::size_t node) { return nodes[node]->meta().name(); };
  const auto planned = rebalance_tasks(snapshot.cluster, placed, response.under_way().empty() ? moves_max : 0);
  for (const auto& move : planned.moves) {
    const v1::Task& task = *tasks[move.task];
    *response.add_moves() =
        describe(task, name_of(move.to), why(move, task.spec().assignment().node(), name_of(move.to)));
  }
  for (const auto& node : planned.nodes) {
    auto& load = *response.add_nodes();
    load.set_node(name_of(node.node));
    load.set_reserved_milli(node.before.reserved_milli);
    load.set_tasks(node.before.tasks);
    load.set_reserved_milli_after(node.after.reserved_milli);
    load.set_tasks_after(node.after.tasks);
  }
  return response;
}

Plan ask_for_moves(const RebalanceSnapshot& snapshot, const v1::RebalanceResponse& planned, const std::string& actor,
                   Now now) {
  std::map<std::string, TaskPtr> tasks;
  for (const auto& entry : snapshot.services)
    for (const auto& task : entry.tasks) tasks.emplace(task->meta().uid(), task);
  std::map<std::string, std::string> node_uids;
  for (const auto& node : snapshot.cluster.nodes) node_uids.emplace(node->meta().name(), node->meta().uid());
  Unit unit;
  for (const auto& move : planned.moves()) {
    v1::Task task = *tasks.at(move.task_uid());
    auto& mark = *task.mutable_spec()->mutable_move();
    mark.set_node(move.to());
    mark.set_node_uid(node_uids.at(move.to()));
    mark.set_reason(move.reason());
    mark.set_actor(actor);
    *mark.mutable_asked_at() = core::to_timestamp(now.wall);
    core::note_decision(task, {"MoveAsked", fmt::format("to node {}, since {}", move.to(), move.reason()), actor},
                        now.wall);
    unit.push_back({Verb::kPutSpec, std::move(task)});
  }
  Plan plan;
  if (!unit.empty()) plan.units.push_back(std::move(unit));
  return plan;
}

Plan begin_moves(const std::vector<TaskPtr>& moving, Now now) {
  std::set<store::ObjectName> busy;  // services of which one moves
  std::vector<TaskPtr> waiting;
  for (const auto& task : moving) {
    if (task->spec().move().has_begun_at())
      busy.insert(owner_of(*task));
    else
      waiting.push_back(task);
  }
  std::ranges::sort(waiting, {}, [](const TaskPtr& task) {
    const auto& asked = task->spec().move().asked_at();
    return std::tuple(asked.seconds(), asked.nanos(), task->meta().stack(), task->meta().name());
  });
  Plan plan;
  for (const auto& task : waiting) {
    if (busy.size() >= kMovesAtOnce) break;
    if (!busy.insert(owner_of(*task)).second) continue;
    v1::Task begun = *task;
    *begun.mutable_spec()->mutable_move()->mutable_begun_at() = core::to_timestamp(now.wall);
    plan.units.push_back({{Verb::kPutSpec, std::move(begun)}});
  }
  return plan;
}

}  // namespace orchion::control::controllers
