#include "control/controllers/job_planner.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include <fmt/core.h>

#include "control/controllers/job_slots.h"
#include "core/jobs.h"
#include "core/lifecycle.h"
#include "core/run_queue.h"
#include "core/timestamps.h"

namespace orchion::control::controllers {

namespace {

// Wall clocks jump, and stand still while a machine sleeps: nothing is waited for longer without a look at them.
constexpr base::Duration kLookAgain = std::chrono::minutes(1);

// So long a job that goes with its runs waits for the first.
constexpr base::Duration kIdleJob = std::chrono::hours(1);

bool is_idle_record(const v1::Run& run) {
  return run.status().state() == v1::RUN_SKIPPED || run.status().state() == v1::RUN_MISSED;
}

class JobPlanner {
 public:
  JobPlanner(const JobSnapshot& snapshot, Now now, base::Random& random)
      : snapshot_(snapshot), job_(*snapshot.job), status_(snapshot.job->status()), now_(now), random_(random) {}

  Plan run() {
    // What the schedule brings is admitted in the next step, when it is durable.
    make_due_runs();
    admit_all();
    prune();
    write_status();
    return std::move(plan_);
  }

  Plan run_removal() {
    for (const auto& run : snapshot_.runs) ask_to_go(*run);
    if (snapshot_.runs.empty()) {
      plan_.units.push_back({{Verb::kRemove, job_},
                             write_event({v1::Event::INFO, "Job", stack(), name(), job_.meta().uid(), "JobRemoved",
                                          fmt::format("{} and its runs are gone", name()), ""},
                                         now_, random_)});
      return std::move(plan_);
    }
    status_.set_message(fmt::format("waits until {} {} gone", snapshot_.runs.size(),
                                    snapshot_.runs.size() == 1 ? "run is" : "runs are"));
    for (const auto& run : snapshot_.runs)
      if (!run->status().message().empty() && !core::is_ended(run->status().state()))
        status_.set_message(run->status().message());
    put_status({});
    return std::move(plan_);
  }

 private:
  // --- the schedule ---

  void make_due_runs() {
    const bool changed = status_.observed_generation() != job_.meta().generation();
    status_.set_observed_generation(job_.meta().generation());
    status_.clear_next_slot();
    if (!job_.spec().has_schedule() || job_.spec().schedule().paused()) return status_.clear_last_slot();
    const auto last = status_.has_last_slot() ? core::from_timestamp(status_.last_slot()) : base::WallTime::min();
    // A schedule that is new, or was changed or paused, says nothing about the time before.
    const auto since = changed || !status_.has_last_slot() ? std::max(last, now_.wall - kJustNow) : last;
    const DueSlots due = due_slots(job_.spec().schedule(), since, now_.wall);
    // One run in a step: with all that a job carries several might not fit into a transaction.
    const bool more = due.to_begin.size() > 1;
    *status_.mutable_last_slot() = core::to_timestamp(more ? due.to_begin.front() : due.seen_until);
    if (due.next) *status_.mutable_next_slot() = core::to_timestamp(*due.next);
    if (due.next) plan_.wake(now_.time + std::min<base::Duration>(*due.next - now_.wall, kLookAgain));
    Unit unit;
    for (const auto& slot : due.missed) unit.push_back(record(slot, v1::RUN_MISSED, "nobody could begin it in time"));
    if (due.missed_before > 0) unit.push_back(say_missed(due));
    if (!due.to_begin.empty()) begin(due.to_begin.front(), unit);
    slots_ = std::move(unit);
  }

  Write say_missed(const DueSlots& due) {
    return write_event({v1::Event::WARNING, "Job", stack(), name(), job_.meta().uid(), "JobMissed",
                        fmt::format("{} missed {}{} slots, and {} more that are recorded as runs", name(),
                                    due.missed_is_more ? "more than " : "", due.missed_before, due.missed.size()),
                        ""},
                       now_, random_);
  }

  void begin(base::WallTime slot, Unit& unit) {
    const auto waiting = std::count_if(snapshot_.runs.begin(), snapshot_.runs.end(),
                                       [](const RunPtr& run) { return core::is_waiting(*run); });
    if (static_cast<std::size_t>(waiting) >= core::kRunsQueuedMax)
      return unit.push_back(record(slot, v1::RUN_SKIPPED, fmt::format("{} runs of it were waiting already", waiting)));
    auto made_from = core::with_parameters(name(), job_.spec(), {});
    if (!made_from) return unit.push_back(record(slot, v1::RUN_MISSED, made_from.error().message));
    unit.push_back({Verb::kCreate, new_run(slot, std::move(*made_from))});
  }

  v1::Run new_run(base::WallTime slot, v1::JobSpec made_from) {
    const auto number = std::max(core::next_run_number(job_, snapshot_.runs),
                                 core::run_number(name(), status_.last_run()).value_or(0) + 1);
    v1::Run run = core::make_run(job_, number, std::move(made_from), now_.wall);
    run.mutable_meta()->set_uid(base::new_uid(random_));
    *run.mutable_spec()->mutable_slot() = core::to_timestamp(slot);
    status_.set_last_run(run.meta().name());
    return run;
  }

  // A run that never begins, and carries nothing: tried again it is what its job is then.
  Write record(base::WallTime slot, v1::RunState state, const std::string& message) {
    v1::Run run = new_run(slot, v1::JobSpec());
    run.mutable_status()->set_state(state);
    run.mutable_status()->set_message(message);
    *run.mutable_status()->mutable_finished_at() = core::to_timestamp(now_.wall);
    return {Verb::kCreate, std::move(run)};
  }

  // --- the queue ---

  void admit_all() {
    std::vector<RunPtr> waiting;
    for (const auto& run : snapshot_.runs)
      if (core::is_waiting(*run)) waiting.push_back(run);
    std::sort(waiting.begin(), waiting.end(),
              [](const RunPtr& a, const RunPtr& b) { return core::goes_before(*a, *b); });
    for (const auto& run : waiting) admit(*run);
    // A run of the group that ends wakes the job; this is for one whose group was changed meanwhile.
    if (!waiting.empty()) plan_.wake(now_.time + kLookAgain);
  }

  void admit(const v1::Run& run) {
    const auto& spec = run.spec().template_();
    if (spec.concurrency() == v1::JobSpec::SIDE_BY_SIDE) return take_slot(run);
    const auto others = members_of(run);
    if (spec.concurrency() == v1::JobSpec::REPLACE_RUNNING) replace(run, others);
    const auto busy = std::find_if(others.begin(), others.end(), [&](const RunPtr& other) {
      return core::is_at_work(*other) || activated_.contains(other->meta().uid());
    });
    if (spec.concurrency() == v1::JobSpec::SKIP && busy != others.end())
      return end(run, v1::RUN_SKIPPED, "JobSkipped", fmt::format("{} was at work", (*busy)->meta().name()));
    const auto ahead = std::find_if(others.begin(), others.end(), [&](const RunPtr& other) {
      return core::is_waiting(*other) && !replaced_.contains(other->meta().uid()) && core::goes_before(*other, run);
    });
    if (busy == others.end() && ahead == others.end()) return take_slot(run);
    const auto& blocker = busy != others.end() ? **busy : **ahead;
    explain(run, fmt::format("waits for {}", blocker.meta().name()));
  }

  // It begins where its queue lets it.
  void take_slot(const v1::Run& run) {
    const auto& name = run.spec().template_().queue();
    const auto* queue = name.empty() ? nullptr : core::find_queue(snapshot_.queues, name);
    if (queue == nullptr || queue->slots() == 0 || turns_in(name, queue->slots()).contains(run.meta().uid()))
      return activate(run);
    explain(run, queue->slots() == 1 ? fmt::format("waits for the slot of queue {}", name)
                                     : fmt::format("waits for one of the {} slots of queue {}", queue->slots(), name));
  }

  // Uids of all runs whose turn it is, other jobs' included: computed once, so that nobody's slot is given twice.
  const std::set<std::string>& turns_in(const std::string& queue, std::uint32_t slots) {
    const auto [entry, is_new] = turns_.try_emplace(queue);
    if (!is_new) return entry->second;
    core::RunList runs = snapshot_.group;
    std::ranges::copy_if(snapshot_.runs, std::back_inserter(runs),
                         [](const RunPtr& run) { return !core::is_ended(run->status().state()); });
    for (const auto& run : core::line_of(queue, slots, runs).next) entry->second.insert(run->meta().uid());
    return entry->second;
  }

  std::vector<RunPtr> members_of(const v1::Run& run) const {
    std::vector<RunPtr> members;
    const auto take = [&](const std::vector<RunPtr>& runs) {
      for (const auto& other : runs)
        if (other->meta().uid() != run.meta().uid() && !core::is_ended(other->status().state()) &&
            core::group_of(*other) == core::group_of(run))
          members.push_back(other);
    };
    take(snapshot_.runs);
    take(snapshot_.group);
    return members;
  }

  // Whatever came before it in its group makes room.
  void replace(const v1::Run& run, const std::vector<RunPtr>& others) {
    for (const auto& other : others) {
      const bool is_older =
          std::tuple(other->meta().created_at().seconds(), other->meta().created_at().nanos(), other->spec().number()) <
          std::tuple(run.meta().created_at().seconds(), run.meta().created_at().nanos(), run.spec().number());
      if (!is_older || other->spec().cancelled() || other->status().state() == v1::RUN_CANCELLING ||
          core::is_deleted(other->meta()) || !replaced_.insert(other->meta().uid()).second)
        continue;
      const std::string why = fmt::format("{} takes its place", run.meta().name());
      if (other->status().state() == v1::RUN_QUEUED) {
        end(*other, v1::RUN_CANCELLED, "JobCancelled", why);
        continue;
      }
      v1::Run changed = *other;
      changed.mutable_spec()->set_cancelled(true);
      changed.mutable_meta()->set_changed_by(run.meta().changed_by());
      changed.mutable_meta()->set_generation(other->meta().generation() + 1);
      changed.mutable_status()->set_state(v1::RUN_CANCELLING);
      changed.mutable_status()->set_message(why);
      plan_.units.push_back({{Verb::kPutSpec, changed}, {Verb::kPutStatus, changed}});
    }
  }

  void activate(const v1::Run& run) {
    activated_.insert(run.meta().uid());
    v1::Run changed = run;
    changed.mutable_status()->set_state(v1::RUN_ACTIVE);
    changed.mutable_status()->clear_message();
    plan_.units.push_back({{Verb::kPutStatus, std::move(changed)},
                           event(run, v1::Event::INFO, "JobStarted", fmt::format("{} begins", run.meta().name()))});
  }

  void explain(const v1::Run& run, const std::string& message) {
    if (run.status().message() == message) return;
    v1::Run changed = run;
    changed.mutable_status()->set_message(message);
    plan_.units.push_back({{Verb::kPutStatus, std::move(changed)}});
  }

  void end(const v1::Run& run, v1::RunState state, const char* reason, const std::string& message) {
    v1::Run changed = run;
    changed.mutable_status()->set_state(state);
    changed.mutable_status()->set_message(message);
    *changed.mutable_status()->mutable_finished_at() = core::to_timestamp(now_.wall);
    plan_.units.push_back(
        {{Verb::kPutStatus, std::move(changed)},
         event(run, v1::Event::WARNING, reason, fmt::format("{} did nothing: {}", run.meta().name(), message))});
  }

  // --- what is over ---

  void prune() {
    const auto keep = core::from_duration(job_.spec().keep());
    std::size_t kept = 0, idle = 0;
    std::uint64_t tasks = 0;
    for (auto it = snapshot_.runs.rbegin(); it != snapshot_.runs.rend(); ++it) {
      const v1::Run& run = **it;
      if (!core::is_ended(run.status().state()) || core::is_deleted(run.meta())) continue;
      const auto gone_at = core::from_timestamp(run.status().finished_at()) + keep;
      const bool is_newest = kept == 0 && !is_idle_record(run);
      std::size_t& counted = is_idle_record(run) ? idle : kept;
      ++counted;
      tasks += run.status().succeeded() + run.status().failed();
      const bool too_many =
          counted > (is_idle_record(run) ? kIdleRunsKept : kRunsKept) || (tasks > kRunTasksKept && !is_newest);
      if (too_many || gone_at <= now_.wall) {
        ask_to_go(run);
      } else {
        plan_.wake(now_.time +
                   std::clamp<base::Duration>(gone_at - now_.wall, std::chrono::seconds(1), std::chrono::hours(1)));
      }
    }
  }

  // With its job, as somebody asked; or because it is over for so long.
  void ask_to_go(const v1::Run& run) {
    if (core::is_deleted(run.meta())) return;
    v1::Run changed = run;
    changed.mutable_meta()->set_changed_by(core::is_deleted(job_.meta()) ? job_.meta().changed_by() : "");
    core::mark_deleted(*changed.mutable_meta(), now_.wall);
    changed.mutable_meta()->set_generation(run.meta().generation() + 1);
    plan_.units.push_back({{Verb::kPutSpec, std::move(changed)}});
  }

  // --- what is said ---

  void write_status() {
    std::uint32_t active = 0;
    for (const auto& run : snapshot_.runs)
      if (!core::is_ended(run->status().state())) ++active;
    status_.set_runs_active(active);
    const auto number = core::next_run_number(job_, snapshot_.runs);
    if (number > 1 && number > core::run_number(name(), status_.last_run()).value_or(0))
      status_.set_last_run(core::run_name(name(), number - 1));
    status_.clear_message();
    status_.set_spent(is_spent());
    put_status(std::move(slots_));
  }

  // Made for the moment, it has had its runs, or nobody asked for one.
  bool is_spent() {
    if (!job_.spec().goes_with_runs() || !snapshot_.runs.empty()) return false;
    if (!status_.last_run().empty()) return true;
    const auto due = core::from_timestamp(job_.meta().created_at()) + kIdleJob;
    if (due <= now_.wall) return true;
    plan_.wake(now_.time + std::min<base::Duration>(due - now_.wall, kLookAgain));
    return false;
  }

  // With what the status is about: a slot counts as seen when, and only when, its run is there.
  void put_status(Unit unit) {
    if (!is_same(status_, job_.status())) {
      v1::Job changed = job_;
      *changed.mutable_status() = status_;
      unit.push_back({Verb::kPutStatus, std::move(changed)});
    }
    if (!unit.empty()) plan_.units.push_back(std::move(unit));
  }

  Write event(const v1::Run& run, v1::Event::Severity severity, const char* reason, const std::string& message) {
    return write_event({severity, "Run", stack(), run.meta().name(), run.meta().uid(), reason, message, ""}, now_,
                       random_);
  }

  const std::string& name() const { return job_.meta().name(); }
  const std::string& stack() const { return job_.meta().stack(); }

  const JobSnapshot& snapshot_;
  const v1::Job& job_;
  v1::JobStatus status_;
  Now now_;
  base::Random& random_;
  Plan plan_;
  Unit slots_;                                          // runs and events that slots brought
  std::set<std::string> replaced_, activated_;          // uids of runs that this step told to end and to begin
  std::map<std::string, std::set<std::string>> turns_;  // by queue: see turns_in()
};

}  // namespace

Plan plan_job(const JobSnapshot& snapshot, Now now, base::Random& random) {
  if (!snapshot.job) return {};
  JobPlanner planner(snapshot, now, random);
  return core::is_deleted(snapshot.job->meta()) ? planner.run_removal() : planner.run();
}

}  // namespace orchion::control::controllers
