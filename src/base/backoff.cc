#include "base/backoff.h"

#include <algorithm>

namespace orchion::base {

Duration Backoff::next(Random& random) {
  // 2^30 * 1 ns already passes any sensible `longest` after the doubling is capped below.
  const int doublings = std::min(failures_, 30);
  ++failures_;
  const auto full =
      std::min<double>(static_cast<double>(options_.longest.count()),
                       static_cast<double>(options_.first.count()) * static_cast<double>(1u << doublings));
  return Duration(static_cast<Duration::rep>(full * (0.5 + random.unit() / 2)));
}

}  // namespace orchion::base
