#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace orchion::core {

// A check as an image's configuration has it; durations are in nanoseconds, and 0 where it is silent.
// Source: https://github.com/moby/docker-image-spec/blob/main/spec.md
struct ImageHealthCheck {
  std::vector<std::string> test;
  std::int64_t interval = 0;
  std::int64_t timeout = 0;
  std::int64_t start_period = 0;
  std::int64_t start_interval = 0;
  std::int64_t retries = 0;
};

}  // namespace orchion::core
