#pragma once

// Takes over what an earlier process of this agent left on the machine.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/agent/checkpoint_folder.h"
#include "node/agent/network_table.h"
#include "node/agent/task_table.h"

namespace orchion::node::agent {

// Executor by executor: at the start, and later from one that wasn't there or didn't answer then. Until that answers,
// nobody knows what became of its tasks, so they are left alone. One executor (of Asio's kind).
class Adopter {
 public:
  struct Parts {
    base::Clock& clock;
    const Executors& executors;
    std::function<base::Co<>()> look_for_executors;  // adds to `executors` what is there now; may be empty
    networks::Networks& networks;
    NetworkTable& network_table;
    TaskTable& tasks;
  };
  explicit Adopter(Parts parts) : parts_(std::move(parts)) {}

  // Containers with a checkpoint go on as they are; those without are removed, with what they left in the network.
  base::Co<> begin(CheckpointFolder::Content content);

  // Looks for what was missing, every few seconds until cancelled, or until nothing can be missing.
  base::Co<> keep_looking();

 private:
  struct Takeover {
    v1::TaskCheckpoint checkpoint;
    std::optional<runtimes::ContainerInfo> container;
  };

  base::Co<> look();
  base::Co<std::vector<Takeover>> take_over(const Executor* executor);
  void restore(std::vector<Takeover> taken);

  Parts parts_;
  std::vector<v1::TaskCheckpoint> waiting_;        // for their executor
  std::set<const Executor*> seen_;                 // their containers are known
  std::map<const Executor*, std::string> silent_;  // why they aren't
};

}  // namespace orchion::node::agent
