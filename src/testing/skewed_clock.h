#pragma once

#include "base/clock.h"

namespace orchion::testing {

// One machine's clock: it runs as `true_clock` does, and says another time of day.
class SkewedClock final : public base::Clock {
 public:
  explicit SkewedClock(base::Clock& true_clock) : true_(true_clock) {}

  base::Time now() const override { return true_.now(); }
  base::WallTime wall() const override { return true_.wall() + skew_; }
  base::Co<> sleep_until(base::Time deadline) override { return true_.sleep_until(deadline); }

  void jump(base::Duration by) { skew_ += by; }

 private:
  base::Clock& true_;
  base::Duration skew_{};
};

}  // namespace orchion::testing
