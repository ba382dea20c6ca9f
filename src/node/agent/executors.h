#pragma once

// The ways this machine has to run things.

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

// The first is the default. What they refer to outlives them.
class Executors {
 public:
  explicit Executors(std::vector<Executor> all) : all_(std::move(all)) {}

  const std::vector<Executor>& all() const { return all_; }

  // By name, an empty one stands for the default; nullptr where this machine has none of that name.
  const Executor* find(const std::string& name) const;

 private:
  std::vector<Executor> all_;
};

}  // namespace orchion::node::agent
