#include "node/agent/executors.h"

namespace orchion::node::agent {

const Executor* Executors::find(const std::string& name) const {
  for (const auto& executor : all_) {
    if (name.empty() || executor.name == name) return &executor;
  }
  return nullptr;
}

}  // namespace orchion::node::agent
