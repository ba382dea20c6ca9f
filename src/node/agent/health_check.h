#pragma once

// Whether a running container does its work, as its own command tells.

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "node/runtimes/runtime.h"
#include "v1/objects.pb.h"

namespace orchion::node::agent {

// What one check came to.
struct CheckResult {
  enum class Verdict { kGood, kBad, kUnknown };
  Verdict verdict = Verdict::kUnknown;  // kUnknown: it couldn't be asked, which is no fault of the container's
  std::string message;                  // of a bad one, one line: "exit code 1: connection refused"
};

// What the checks so far come to, and when the next one is due. Pure; times are since the attempt's start.
class HealthTally {
 public:
  explicit HealthTally(const v1::HealthCheck& check, v1::Health known = v1::HEALTH_STARTING);

  // How long to wait for the next check. Until the first success the pauses grow from half a second to the interval,
  // so that what starts quickly counts as healthy quickly.
  base::Duration pause(base::Duration up) const;

  // A failure counts once the start period and one interval are over, or after the first success.
  void record(bool good, base::Duration up);

  v1::Health health() const { return health_; }
  base::Duration timeout() const { return timeout_; }

 private:
  base::Duration interval_, timeout_, start_period_, start_interval_;
  std::uint32_t retries_;
  std::uint32_t failures_ = 0;  // in a row, those that count
  v1::Health health_;
  bool was_good_;
};

// The command of a check: words, or a line for the container's shell.
std::vector<std::string> check_command(const v1::HealthCheck& check);

// Runs the check in the container, once, for `timeout` at the longest; the process is then killed. Never an error but
// where cancelled: one that takes too long, or isn't in the image, is a bad one.
base::Co<CheckResult> run_check(runtimes::Runtime& runtime, base::Clock& clock, std::string id,
                                std::vector<std::string> command, base::Duration timeout);

}  // namespace orchion::node::agent
