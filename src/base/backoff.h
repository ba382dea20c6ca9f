#pragma once

#include "base/clock.h"
#include "base/random.h"

namespace orchion::base {

struct BackoffOptions {
  Duration first = std::chrono::milliseconds(100);
  Duration longest = std::chrono::seconds(60);
};

// Doubling delays with jitter: the n-th lies in [d/2, d) with d = min(longest, first * 2^n), so that many
// clients of one failed server don't come back together.
class Backoff {
 public:
  // `failures` that were before: an earlier process counted them.
  explicit Backoff(BackoffOptions options = {}, int failures = 0) : options_(options), failures_(failures) {}

  Duration next(Random& random);
  void reset() { failures_ = 0; }
  int failures() const { return failures_; }

 private:
  BackoffOptions options_;
  int failures_;
};

}  // namespace orchion::base
