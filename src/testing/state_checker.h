#pragma once

// What must hold at any moment, and what must hold when nothing has gone wrong for a while.

#include <memory>
#include <string>
#include <vector>

#include "control/store/view.h"
#include "testing/history_checker.h"
#include "testing/machine.h"

namespace orchion::testing {

using Machines = std::vector<std::unique_ptr<Machine>>;

// One sentence for each that doesn't hold:
// - what runs is a task that was given to this node, once; of two tasks in one slot at most one isn't given up;
// - an address is held once in its network, on the machines and in the store, by a gateway, a service or a task;
// - a host port of a node is held by one service.
std::vector<std::string> check_moment(const control::store::View& view, const HistoryChecker& history,
                                      const Machines& machines);

// One sentence for each that doesn't hold: every service has its replicas, each of its revision, running on the
// machine that it was given to; nothing else runs; what stacks and services say of themselves is true. For clusters
// whose agents are all there.
std::vector<std::string> check_quiet(const control::store::View& view, const Machines& machines);

}  // namespace orchion::testing
