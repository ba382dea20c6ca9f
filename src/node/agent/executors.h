#pragma once

// The ways this machine has to run things.

#include <deque>
#include <string>
#include <vector>

#include "node/images/images.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::agent {

struct Executor {
  std::string name;  // "oci", "docker": as a service asks for it
  runtimes::Runtime& runtime;
  images::ImageSource* images;  // nullptr: it runs what is on the machine already
  // Its runtime can't put a container into a network namespace that is there: it hands over that of each start, see
  // runtimes::WireNamespace and Agent::wire().
  bool wires_at_start = false;
};

// The first is the default; more may come while the agent runs, none go. What they refer to outlives them.
class Executors {
 public:
  explicit Executors(const std::vector<Executor>& all) : all_(all.begin(), all.end()) {}

  void add(Executor executor) { all_.push_back(std::move(executor)); }

  // Their addresses stay.
  const std::deque<Executor>& all() const { return all_; }

  // By name, an empty one stands for the default; nullptr where this machine has none of that name.
  const Executor* find(const std::string& name) const;

 private:
  std::deque<Executor> all_;
};

}  // namespace orchion::node::agent
