#pragma once

// Time as an argument. Everything that waits or stamps takes a Clock, so that a test can turn it by hand.

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/co.h"

namespace orchion::base {

using Duration = std::chrono::nanoseconds;

// Monotonic; only differences mean something.
using Time = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Seconds since the Unix epoch, in nanoseconds; may jump. For people and for records, never for leases.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Thread-safe. Sleeping coroutines resume on their own executor.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
  virtual WallTime wall() const = 0;

  // Returns at `deadline`, or kCancelled when the coroutine is cancelled before.
  virtual Co<> sleep_until(Time deadline) = 0;

  Co<> sleep(Duration duration) { return sleep_until(now() + duration); }
};

class SystemClock final : public Clock {
 public:
  Time now() const override;
  WallTime wall() const override;
  Co<> sleep_until(Time deadline) override;
};

// Stands still until `advance`. Sleepers whose deadline has come are resumed through their executor, in the
// order of their deadlines; the caller then runs the io_context. Not thread-safe: one io_context, one thread.
class ManualClock final : public Clock {
 public:
  ManualClock();
  ~ManualClock() override;
  Time now() const override;
  WallTime wall() const override;
  Co<> sleep_until(Time deadline) override;

  void advance(Duration duration);

  // The earliest deadline anybody sleeps for; Time::max() where nobody sleeps.
  Time next_deadline() const;

 private:
  struct Sleepers;
  std::unique_ptr<Sleepers> sleepers_;
  Time now_;
};

}  // namespace orchion::base
