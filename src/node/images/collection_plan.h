#pragma once

// Which images go by themselves. Pure, but for read_disk_use().

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"

namespace orchion::node::images {

struct CollectionLimits {
  base::Duration unused_max = std::chrono::hours(24 * 30);  // 0: none goes for its age
  int disk_high_percent = 85;                               // above it the disk is made room on; 0: never
  int disk_low_percent = 75;                                // until it is no fuller than this
};

struct CollectableImage {
  std::string reference;
  base::WallTime used_at;      // last by a task, or when it came
  bool in_use = false;         // by a task
  bool from_registry = false;  // which can give it back; what was imported by hand stays
};

// Those that no task has used for too long, the longest first.
std::vector<std::string> plan_by_age(const std::vector<CollectableImage>& images, base::WallTime now,
                                     const CollectionLimits& limits);

// All that may go where the disk is full, in that order: the least recently used first.
std::vector<std::string> order_by_use(const std::vector<CollectableImage>& images);

// As df counts: what only root may use is not there.
struct DiskUse {
  std::uint64_t used = 0;
  std::uint64_t available = 0;

  bool is_above(int percent) const;
};
base::Result<DiskUse> read_disk_use(const std::filesystem::path& folder);

}  // namespace orchion::node::images
