#pragma once

// What the rooms of the control plane have agreed on about an object's life: who may be waited for, and which labels
// speak to controllers.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "core/timestamps.h"
#include "v1/objects.pb.h"

namespace orchion::core {

// Finalizers. An object with `deleted_at` and without finalizers is removed by whoever takes the last one away.
inline constexpr char kAgentFinalizer[] = "agent";      // on tasks: something may be left on a node
inline constexpr char kStackFinalizer[] = "stack";      // on stacks: its services and networks
inline constexpr char kServiceFinalizer[] = "service";  // on services: its tasks and revisions
inline constexpr char kJobFinalizer[] = "job";          // on jobs: their runs
inline constexpr char kRunFinalizer[] = "run";          // on runs: their tasks
inline constexpr char kNetworkFinalizer[] = "network";  // on networks: addresses in use
inline constexpr char kVolumeFinalizer[] = "volume";    // on volumes: tasks that use it
inline constexpr char kNodeFinalizer[] = "node";        // on nodes: tasks that move away

// On what a stack's manifest brought about, with this value; only that is pruned.
inline constexpr char kOwnerLabel[] = "orchion.owner";
inline constexpr char kStackOwner[] = "stack";

// On a Stack that is being deleted, with the value "true": its volumes and their data go too.
inline constexpr char kDeleteVolumesLabel[] = "orchion.delete-volumes";

// On a Task: how many tasks of its slot, or of its run's index, failed one after the other before it.
inline constexpr char kFailuresLabel[] = "orchion.failures";

// On a Task: how many tasks of its slot were replaced because they failed. Counts against max_attempts.
inline constexpr char kRestartsLabel[] = "orchion.restarts";

// On a Node, beside what users set: "manager" or "worker".
inline constexpr char kRoleLabel[] = "orchion.role";

// On a network that is going, one for each node that still has to take it down.
std::string agent_finalizer(const std::string& node_uid);

// Of what a manifest of `stack` brings about, on its first day.
v1::Meta owned_meta(const std::string& stack, const std::string& name, const std::string& uid, base::WallTime now,
                    std::string_view finalizer);

bool is_deleted(const v1::Meta& meta);

// Asks for deletion; a second time changes nothing.
void mark_deleted(v1::Meta& meta, base::WallTime now);

bool has_finalizer(const v1::Meta& meta, std::string_view finalizer);
void add_finalizer(v1::Meta& meta, std::string_view finalizer);  // once
void remove_finalizer(v1::Meta& meta, std::string_view finalizer);

// Deletion was asked for and nobody is waited for.
bool is_ready_to_go(const v1::Meta& meta);

std::string label(const v1::Meta& meta, std::string_view key);     // "" where there is none
unsigned label_count(const v1::Meta& meta, std::string_view key);  // 0 where there is none; 1000 at the most

}  // namespace orchion::core
