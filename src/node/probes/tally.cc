#include "node/probes/tally.h"

#include <algorithm>

#include "core/timestamps.h"

namespace orchion::node::probes {

namespace {

// As Docker has them: https://docs.docker.com/reference/dockerfile/#healthcheck
constexpr base::Duration kInterval = std::chrono::seconds(30);
constexpr base::Duration kTimeout = std::chrono::seconds(30);
constexpr base::Duration kStartInterval = std::chrono::seconds(5);
constexpr std::uint32_t kRetries = 3;

constexpr base::Duration kFirstPause = std::chrono::milliseconds(500);

base::Duration duration_or(bool there, const google::protobuf::Duration& duration, base::Duration otherwise) {
  if (!there) return otherwise;
  return std::max<base::Duration>(core::from_duration(duration), std::chrono::milliseconds(1));
}

}  // namespace

v1::HealthCheck with_defaults(v1::HealthCheck check) {
  if (!check.has_interval()) *check.mutable_interval() = core::to_duration(kInterval);
  if (!check.has_timeout()) *check.mutable_timeout() = core::to_duration(kTimeout);
  if (!check.has_start_period()) *check.mutable_start_period() = core::to_duration(base::Duration::zero());
  if (!check.has_start_interval()) *check.mutable_start_interval() = core::to_duration(kStartInterval);
  if (check.retries() == 0) check.set_retries(kRetries);
  return check;
}

Tally::Tally(const v1::HealthCheck& check, v1::Health known)
    : interval_(duration_or(check.has_interval(), check.interval(), kInterval)),
      timeout_(duration_or(check.has_timeout(), check.timeout(), kTimeout)),
      start_period_(duration_or(check.has_start_period(), check.start_period(), base::Duration::zero())),
      start_interval_(duration_or(check.has_start_interval(), check.start_interval(), kStartInterval)),
      retries_(check.retries() != 0 ? check.retries() : kRetries),
      health_(known == v1::NOT_CHECKED ? v1::HEALTH_STARTING : known),
      was_good_(known == v1::HEALTH_GOOD) {}

base::Duration Tally::pause(base::Duration up) const {
  if (was_good_ || up >= patience()) return interval_;
  const auto longest = up < start_period_ ? std::min(start_interval_, interval_) : interval_;
  return std::min(longest, std::max(kFirstPause, up));
}

void Tally::count_anew() {
  failures_ = 0;
  if (health_ == v1::HEALTH_BAD) health_ = v1::HEALTH_STARTING;
}

void Tally::record(bool good, base::Duration up) {
  if (good) {
    failures_ = 0;
    was_good_ = true;
    health_ = v1::HEALTH_GOOD;
    return;
  }
  if (!was_good_ && up < patience()) return;
  if (++failures_ >= retries_) health_ = v1::HEALTH_BAD;
}

}  // namespace orchion::node::probes
