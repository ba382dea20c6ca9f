#include "node/probes/monitor.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "core/health_check.h"
#include "core/timestamps.h"

namespace orchion::node::probes {

namespace {

constexpr std::size_t kResultsKept = 5;

// Tasks that began together aren't asked together: by this part at most a probe comes earlier than it must.
constexpr double kFirstSpread = 0.5;
constexpr double kSpread = 0.05;

// What is due within a tick of the clock is asked in one go: a thousand tasks wake this process a hundred times a
// second.
constexpr base::Duration kTick = std::chrono::milliseconds(10);
constexpr int kTicksLeast = 10;  // of pauses that are rounded to them

base::Time on_a_tick(base::Time time, base::Duration pause) {
  return pause < kTicksLeast * kTick ? time : time - time.time_since_epoch() % kTick;
}

std::string count_of(const Tally& tally) {
  const auto left = tally.retries() - std::min(tally.failures(), tally.retries());
  return tally.failures() == 0 ? fmt::format("{} failure{} in a row", left, left == 1 ? "" : "s")
                               : fmt::format("{} more failure{}", left, left == 1 ? "" : "s");
}

}  // namespace

Monitor::Entry::Entry(v1::Probe::Purpose why, v1::HealthCheck what, v1::Health known)
    : purpose(why),
      check(with_defaults(std::move(what))),
      tally(check, known),
      is_lenient(core::is_of_known_image(check)) {}

Monitor::Monitor(Parts parts, const CheckSet& checks, base::WallTime started, const Findings& known, bool is_known)
    : parts_(std::move(parts)), started_(started), fresh_(!is_known) {
  const bool up = known.started_up;
  if (checks.startup) startup_.emplace(v1::Probe::STARTUP, *checks.startup, up ? v1::HEALTH_GOOD : v1::HEALTH_STARTING);
  if (checks.liveness) liveness_.emplace(v1::Probe::LIVENESS, *checks.liveness, known.health);
  if (checks.readiness) readiness_.emplace(v1::Probe::READINESS, *checks.readiness, known.readiness);
  // Until its next probe what was bad stays so, for the same reason.
  if (liveness_ && known.health == v1::HEALTH_BAD) liveness_->said = known.health_message;
  if (readiness_ && known.readiness == v1::HEALTH_BAD) readiness_->said = known.readiness_message;
}

bool Monitor::is_held_back() const {
  return startup_ && !startup_->tally.was_good();
}

base::Co<> Monitor::run() {
  const auto self = shared_from_this();
  if (is_held_back()) CO_RETURN_IF_ERROR(co_await keep_asking(*startup_));
  if (!liveness_ && !readiness_) co_return base::Result<>{};
  if (!readiness_) co_return co_await keep_asking(*liveness_);
  if (!liveness_) co_return co_await keep_asking(*readiness_);
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto [alive, ready] = co_await (keep_asking(*liveness_) && keep_asking(*readiness_));
  co_return alive ? ready : alive;
}

// The startup check is asked until its first success.
base::Co<> Monitor::keep_asking(Entry& entry) {
  const bool is_startup = entry.purpose == v1::Probe::STARTUP;
  entry.since = startup_ && !is_startup && fresh_ ? parts_.clock.wall() : started_;
  double spread = fresh_ ? kFirstSpread : 1;
  while (!stopped_ && (!is_startup || is_held_back())) {
    const auto longest = entry.tally.pause(parts_.clock.wall() - entry.since);
    const auto part = 1 - spread * parts_.random.unit();
    const auto pause = base::Duration(static_cast<base::Duration::rep>(static_cast<double>(longest.count()) * part));
    spread = kSpread;
    entry.next_at = parts_.clock.wall() + pause;
    CO_RETURN_IF_ERROR(co_await parts_.clock.sleep_until(on_a_tick(parts_.clock.now() + pause, pause)));
    if (!stopped_) CO_RETURN_IF_ERROR(co_await ask_once(entry));
  }
  entry.next_at.reset();
  co_return base::Result<>{};
}

base::Co<> Monitor::ask_once(Entry& entry) {
  const auto begun = parts_.clock.wall();
  const auto from = parts_.clock.now();
  entry.next_at.reset();
  CO_ASSIGN_OR_RETURN(auto outcome, co_await parts_.ask(entry.check, entry.tally.timeout()));
  if (stopped_) co_return base::Result<>{};
  const auto before = findings();
  if (outcome.verdict != Outcome::Verdict::kUnknown) {
    const auto health = entry.tally.health();
    entry.tally.record(outcome.verdict == Outcome::Verdict::kGood, parts_.clock.wall() - entry.since);
    // The probe that changed it says why; those after it only confirm.
    if (entry.tally.health() != health)
      entry.said = entry.tally.health() == v1::HEALTH_BAD ? one_line(outcome.output) : "";
  }
  keep_result(entry, begun, parts_.clock.now() - from, std::move(outcome));
  if (findings() != before) parts_.changed();
  co_return base::Result<>{};
}

void Monitor::count_anew() {
  const auto before = findings();
  for (auto* entry : {&startup_, &liveness_}) {
    if (!*entry || (*entry)->tally.health() != v1::HEALTH_BAD) continue;
    (*entry)->tally.count_anew();
    (*entry)->said.clear();
  }
  if (findings() != before) parts_.changed();
}

void Monitor::keep_result(Entry& entry, base::WallTime begun, base::Duration took, Outcome outcome) {
  if (entry.results.size() == kResultsKept) entry.results.pop_front();
  auto& result = entry.results.emplace_back();
  *result.mutable_time() = core::to_timestamp(begun);
  *result.mutable_duration() = core::to_duration(took);
  result.set_success(outcome.verdict == Outcome::Verdict::kGood);
  result.set_output(std::move(outcome.output));
}

// One that orchion chose by the image's name, and never succeeded, perhaps asks for what this container doesn't do.
v1::Health Monitor::health_of(const Entry& entry) {
  const bool speaks = !entry.is_lenient || entry.tally.was_good() || entry.tally.health() != v1::HEALTH_BAD;
  return speaks ? entry.tally.health() : v1::NOT_CHECKED;
}

Findings Monitor::findings() const {
  Findings found;
  found.started_up = !is_held_back();
  if (!found.started_up) {
    found.health = startup_->tally.health();
    found.readiness = found.health;
    found.health_message = found.readiness_message = startup_->said;
    return found;
  }
  if (startup_) found.health = v1::HEALTH_GOOD;
  if (liveness_) {
    found.health = health_of(*liveness_);
    found.health_message = found.health == v1::NOT_CHECKED ? unheard(*liveness_) : liveness_->said;
  }
  if (readiness_) {
    found.readiness = readiness_->tally.health();
    found.readiness_message = readiness_->said;
  } else if (found.health == v1::HEALTH_BAD) {
    found.readiness = v1::HEALTH_BAD;
    found.readiness_message = found.health_message;
  }
  return found;
}

v1::TaskHealth Monitor::describe() const {
  v1::TaskHealth health;
  for (const auto* entry : {&startup_, &liveness_, &readiness_}) {
    if (!*entry) continue;
    auto& probe = *health.add_probes();
    probe.set_purpose((*entry)->purpose);
    *probe.mutable_check() = (*entry)->check;
    probe.set_state(health_of(**entry));
    probe.set_failures((*entry)->tally.failures());
    for (const auto& result : (*entry)->results) *probe.add_results() = result;
    if ((*entry)->next_at) *probe.mutable_next_at() = core::to_timestamp(*(*entry)->next_at);
    probe.set_next(next_of(**entry));
  }
  return health;
}

// Why a check by the image's name isn't counted.
std::string Monitor::unheard(const Entry& entry) {
  return fmt::format("the check of the {} never succeeded and doesn't count ({}): give the service a `healthcheck`",
                     entry.check.origin(), entry.said);
}

std::string Monitor::next_of(const Entry& entry) const {
  const auto& tally = entry.tally;
  const auto bad = tally.health() == v1::HEALTH_BAD;
  if (entry.purpose != v1::Probe::STARTUP && is_held_back()) return "is asked once the startup check has succeeded";
  if (entry.purpose == v1::Probe::STARTUP && !is_held_back()) return "isn't asked again in this attempt";
  if (entry.is_lenient && !tally.was_good()) return "only reports, until it succeeds for the first time";
  if (entry.purpose == v1::Probe::READINESS)
    return bad                ? "names and published ports lead to it again after one success"
           : tally.was_good() ? fmt::format("names and published ports lead elsewhere after {}", count_of(tally))
                              : "names and published ports lead to it after its first success";
  const auto restart = parts_.remedy.empty() ? "counts as unhealthy and runs on" : parts_.remedy;
  if (bad) return parts_.remedy.empty() ? "is unhealthy and runs on, as its service says" : parts_.remedy + " now";
  const auto up = parts_.clock.wall() - entry.since;
  if (!tally.was_good() && up < tally.patience())
    return fmt::format("{} after {}, counted from {} s after the start", restart, count_of(tally),
                       std::chrono::duration_cast<std::chrono::seconds>(tally.patience()).count());
  return fmt::format("{} after {}", restart, count_of(tally));
}

}  // namespace orchion::node::probes
