#pragma once

// Whether a download that broke off is tried again. Pure.

#include <cstddef>
#include <optional>

#include "base/clock.h"

namespace orchion::node::images {

struct FetchLimits {
  base::Duration stall = std::chrono::seconds(60);  // without a byte: the attempt is over
  base::Duration pause = std::chrono::seconds(1);   // before the next attempt; doubles while nothing comes
  int fruitless_attempts_max = 3;                   // in a row
};

// An attempt that brought a whole layer starts the count anew: the number of layers bounds them all.
class FetchAttempts {
 public:
  explicit FetchAttempts(FetchLimits limits) : limits_(limits) {}

  // How long to wait before the next; nullopt: give up. `layers` whole by now.
  std::optional<base::Duration> after_failure(std::size_t layers);

  int fruitless() const { return fruitless_; }

 private:
  const FetchLimits limits_;
  std::size_t layers_ = 0;
  int fruitless_ = 0;
};

}  // namespace orchion::node::images
