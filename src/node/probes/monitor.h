#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "node/probes/probe.h"
#include "node/probes/tally.h"
#include "v1/control.pb.h"

namespace orchion::node::probes {

// What is asked of a task; unset: nothing.
struct CheckSet {
  std::optional<v1::HealthCheck> liveness;
  std::optional<v1::HealthCheck> readiness;
  std::optional<v1::HealthCheck> startup;

  bool empty() const { return !liveness && !readiness && !startup; }
};

// What an attempt's checks come to.
struct Findings {
  v1::Health health = v1::NOT_CHECKED;
  v1::Health readiness = v1::NOT_CHECKED;
  std::string health_message;  // of what isn't good, one line
  std::string readiness_message;
  bool started_up = false;  // the startup check was good once, or there is none

  bool operator==(const Findings&) const = default;
};

// The checks of one attempt of a task, from its start to its end: asks in time, keeps what was answered, says what it
// comes to. The startup check goes first and holds the others back until it is good. One executor; shared with its own
// coroutine.
class Monitor : public std::enable_shared_from_this<Monitor> {
 public:
  // `check` lives as long as the monitor, which is kept for the call.
  using Ask = std::function<base::Co<Outcome>(const v1::HealthCheck& check, base::Duration timeout)>;
  struct Parts {
    base::Clock& clock;    // outlives it
    base::Random& random;  // the same
    Ask ask;
    std::function<void()> changed;  // findings() differ from what they were
    // What is done for a task that is unhealthy, for describe(); empty: nothing.
    std::string remedy = "is restarted";
  };

  // `known`: what an earlier process of the agent had found; `is_known`: there was one.
  Monitor(Parts parts, const CheckSet& checks, base::WallTime started, const Findings& known, bool is_known);

  // Until stop(), or cancelled. Once.
  base::Co<> run();

  // Something was done for the task: as many failures as ever must come before it is unhealthy again.
  void count_anew();

  // Nothing is asked any more, and what is being asked doesn't count.
  void stop() { stopped_ = true; }

  Findings findings() const;
  v1::TaskHealth describe() const;

 private:
  struct Entry {
    Entry(v1::Probe::Purpose why, v1::HealthCheck what, v1::Health known);
    v1::Probe::Purpose purpose;
    v1::HealthCheck check;
    Tally tally;
    std::string said;  // by the probe that made it bad, one line
    std::deque<v1::ProbeResult> results;
    std::optional<base::WallTime> next_at;
    base::WallTime since;  // when it could be asked first
    bool is_lenient;       // until its first success it only reports
  };

  base::Co<> keep_asking(Entry& entry);
  base::Co<> ask_once(Entry& entry);
  static void keep_result(Entry& entry, base::WallTime begun, base::Duration took, Outcome outcome);
  bool is_held_back() const;
  static v1::Health health_of(const Entry& entry);
  static std::string unheard(const Entry& entry);
  std::string next_of(const Entry& entry) const;

  Parts parts_;
  const base::WallTime started_;
  std::optional<Entry> startup_;
  std::optional<Entry> liveness_;
  std::optional<Entry> readiness_;
  bool fresh_;  // this attempt was begun by this process
  bool stopped_ = false;
};

}  // namespace orchion::node::probes
