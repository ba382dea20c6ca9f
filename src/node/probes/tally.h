#pragma once

#include <algorithm>

#include "base/clock.h"
#include "v1/objects.pb.h"

namespace orchion::node::probes {

// The check with its times and its count filled in where it leaves them open.
v1::HealthCheck with_defaults(v1::HealthCheck check);

// What the probes of one check so far come to, and when the next one is due. Pure; times are since the first could be
// made: since the attempt's start, or since its startup check was good.
class Tally {
 public:
  explicit Tally(const v1::HealthCheck& check, v1::Health known = v1::HEALTH_STARTING);

  // How long to wait for the next probe. Until the first success the pauses grow from half a second to the interval,
  // so that what starts quickly counts as healthy quickly.
  base::Duration pause(base::Duration up) const;

  // A failure counts once the start period and one interval are over, or after the first success.
  void record(bool good, base::Duration up);

  // What was bad may show what it is once more.
  void count_anew();

  v1::Health health() const { return health_; }
  bool was_good() const { return was_good_; }
  std::uint32_t failures() const { return failures_; }  // in a row, those that count
  std::uint32_t retries() const { return retries_; }
  base::Duration timeout() const { return timeout_; }
  // From when on failures count.
  base::Duration patience() const { return std::max(start_period_, interval_); }

 private:
  base::Duration interval_, timeout_, start_period_, start_interval_;
  std::uint32_t retries_;
  std::uint32_t failures_ = 0;
  v1::Health health_;
  bool was_good_;
};

}  // namespace orchion::node::probes
