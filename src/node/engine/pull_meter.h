#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "node/engine/engine_json.h"

namespace orchion::node::engine {

// How far an engine is with a pull, from what it says line by line. Pure. It tells a layer's size when its download
// begins: the total grows meanwhile.
class PullMeter {
 public:
  // Whether anything has changed.
  bool add(const ProgressLine& line);

  std::uint64_t done_bytes() const;
  std::uint64_t total_bytes() const;

 private:
  struct Layer {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
  };
  std::map<std::string, Layer> layers_;  // by the engine's short id
};

}  // namespace orchion::node::engine
