#include "node/engine/pull_meter.h"

#include <algorithm>

namespace orchion::node::engine {

bool PullMeter::add(const ProgressLine& line) {
  if (line.layer.empty()) return false;
  // Unpacking counts bytes too, of the same layer.
  if (line.total_bytes > 0 && line.verb == "Downloading") {
    auto& layer = layers_[line.layer];
    layer = {std::max(layer.done, std::min(line.current_bytes, line.total_bytes)), line.total_bytes};
    return true;
  }
  const auto found = layers_.find(line.layer);
  if (found == layers_.end() || (line.verb != "Download complete" && line.verb != "Pull complete")) return false;
  found->second.done = found->second.total;
  return true;
}

std::uint64_t PullMeter::done_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [id, layer] : layers_) sum += layer.done;
  return sum;
}

std::uint64_t PullMeter::total_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [id, layer] : layers_) sum += layer.total;
  return sum;
}

}  // namespace orchion::node::engine
