#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>

#include "base/clock.h"

namespace orchion::bench {

// How long things took, to a tenth of a millisecond, up to ten seconds. Any thread.
class LatencyHistogram {
 public:
  void add(base::Duration took) {
    const auto tenths = std::chrono::duration_cast<std::chrono::microseconds>(took).count() / 100;
    ++buckets_[static_cast<std::size_t>(std::clamp<std::int64_t>(tenths, 0, kBuckets - 1))];
    ++count_;
  }

  std::uint64_t count() const { return count_; }

  // That which `share` of all took at the most, in ms; 1: the worst. 0 where there was none.
  double ms(double share) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i)
      if ((seen += buckets_[i]) >= wanted && seen > 0) return static_cast<double>(i + 1) / 10;
    return 0;
  }

 private:
  static constexpr std::int64_t kBuckets = 100'000;
  std::array<std::atomic<std::uint32_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> count_ = 0;
};

}  // namespace orchion::bench
