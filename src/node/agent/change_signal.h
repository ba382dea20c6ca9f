#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/notifier.h"

namespace orchion::node::agent {

// A Notifier that remembers: who says which count it has seen misses nothing. One executor.
class ChangeSignal {
 public:
  explicit ChangeSignal(base::Executor executor) : notifier_(std::move(executor)) {}

  void notify() {
    ++count_;
    notifier_.notify();
  }
  std::uint64_t count() const { return count_; }

  // Returns when the count is no longer `seen`.
  base::Co<> wait(std::uint64_t seen);

  // The same, at `deadline` at the latest.
  base::Co<> wait_until(base::Clock& clock, base::Time deadline, std::uint64_t seen);

 private:
  base::Notifier notifier_;
  std::uint64_t count_ = 0;
};

// A turn at what one at a time may do: who waits by `changed` looks again when it ends, also by cancellation. Both
// outlive it.
class Busy {
 public:
  Busy(bool& busy, ChangeSignal& changed) : busy_(busy), changed_(changed) { busy_ = true; }
  ~Busy() {
    busy_ = false;
    changed_.notify();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  bool& busy_;
  ChangeSignal& changed_;
};

}  // namespace orchion::node::agent
