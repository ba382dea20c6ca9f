#pragma once

// What becomes of tasks that fail: whether others take their place, when, and which nodes these avoid. Pure; parts of
// the service planner.

#include <string>
#include <vector>

#include "base/clock.h"
#include "v1/objects.pb.h"

namespace orchion::control::controllers {

// A task that was up this long lives: its failure is a first one, and its node as good as any.
constexpr base::Duration kLives = std::chrono::seconds(10);

// Failures in a row after which a task looks for another node: of one that never ran there, of one that did, and
// where it had failed on that other node too.
constexpr unsigned kFailuresUnprepared = 3;
constexpr unsigned kFailuresBeforeMove = 5;
constexpr unsigned kFailuresBeforeReturn = 15;

// Between the end of a task that is to run and its replacement: 100 ms, twice as long after each failure in a row, 60 s
// at the most; where the service says how long, that.
base::Duration replacement_delay(const v1::RestartPolicy& policy, unsigned failures);

// How many failures in a row a replacement of this task, which failed, comes after.
unsigned failures_after(const v1::Task& task);

// TaskSpec.avoided_nodes of what replaces this task, which failed where it is: the same node is wanted least.
std::vector<std::string> avoided_after(const v1::Task& task);

// Those of what replaces a task that ended, after so many failures in a row.
std::vector<std::string> avoided_by_replacement(const v1::ServiceSpec& spec, const v1::Task& task, unsigned failures);

// A task that isn't up, and has failed so often that another node might be better. The service lets it move.
bool looks_for_another_node(const v1::ServiceSpec& spec, const v1::Task& task);

// Whether such a task is to go there.
bool is_better_elsewhere(const v1::Task& task, const std::string& node_uid);

// It was told to stop for this: what takes its slot avoids its node.
bool moves_away(const v1::Task& task);

// What is done with a task that ended, after "and": "is made anew".
std::string what_replaces(const v1::ServiceSpec& spec);

}  // namespace orchion::control::controllers
