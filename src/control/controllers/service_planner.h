#pragma once

// From a service to its revisions and tasks.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/controllers/placement_planner.h"

namespace orchion::control::controllers {

using ServicePtr = std::shared_ptr<const v1::Service>;

struct DependencyFacts {
  v1::Dependency dependency;
  ServicePtr service;          // null: there is none
  std::vector<TaskPtr> tasks;  // deleted ones included
};

struct ServiceSnapshot {
  ServicePtr service;          // null: it is gone
  std::vector<TaskPtr> tasks;  // deleted ones included
  std::vector<RevisionPtr> revisions;
  std::vector<DependencyFacts> dependencies;
  ClusterSnapshot cluster;
  bool replacement_paused = false;
  // Uids of tasks that ended and since when this server knows: nodes' clocks are not to be relied on for delays.
  std::map<std::string, base::Time> ended_since;
  // Likewise of tasks that run again after a restart, from when this attempt was seen to run.
  std::map<std::string, base::Time> running_since;
  // Likewise of tasks that take the place of others, which move, from when they were ready without a break.
  std::map<std::string, base::Time> ready_since;
  // For a service that fences: uids of nodes that are lost, or no longer there, and since when this server knows.
  std::map<std::string, base::Time> silent_since;
  base::Duration lease{};  // what nodes are given; see Welcome.lease_seconds
  // Of slots in which no task is, not even one that goes: the newest record.
  std::map<std::uint32_t, std::shared_ptr<const v1::TaskRecord>> gone;
};

// Beyond a node's lease and a task's grace: for clocks that don't run alike, and for the kill.
constexpr base::Duration kFenceMargin = std::chrono::seconds(10);

// Revisions kept for a way back, those in use not counted.
constexpr std::size_t kRevisionsKept = 10;

// A new version counts as running after this time where its container was started more than once.
constexpr base::Duration kSettleTime = std::chrono::seconds(10);

// One step towards what the service asks for:
// - its revision, made where none has the fingerprint of its spec;
// - a task in each slot from 1 to `replicas`, those above stopped; none before every dependency's condition holds for
//   the first time and its networks have their subnets;
// - tasks of another fingerprint replaced one by one: stopped, and when it has ended the new one in its slot, and the
//   next when that one runs. One that fails stops the update until it runs or the spec changes again. Tasks that don't
//   run, or never had a node, are replaced at once;
// - failed tasks replaced after replacement_delay, unless the restart policy or the recovery forbids it, or its
//   attempts are used up; on another node where the recovery is MOVE and another fits;
// - tasks that can't live on their node, see looks_for_another_node(), stopped and replaced where another fits;
// - tasks on nodes that are drained or leaving, or have a taint that lets no task stay, stopped and replaced;
// - a task that is to move, once that has begun (TaskMove.begun_at), beside which the next one is made on the other
//   node: when that has been ready for kMoveMonitor, the first is stopped. Where it can't become ready it goes again,
//   the first stays, and the service's other moves are given up. One at a time, and none while something else changes;
// - tasks on lost nodes replaced where on_node_loss is REPLACE and replacement isn't paused, where it is FENCE only
//   after the time in which the node's agent, deaf to everybody, has stopped them itself; tasks of nodes that were
//   removed replaced in any case, after the same time;
// - tasks that share the network of another service's task stopped when that one goes, and replaced with the next;
// - a virtual address in each of its networks, see plan_virtual_addresses();
// - its status, and events for what was decided.
Plan plan_service(const ServiceSnapshot& snapshot, Now now, base::Random& random);

}  // namespace orchion::control::controllers
