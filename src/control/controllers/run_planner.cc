#include "control/controllers/run_planner.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "control/controllers/decisions.h"
#include "control/controllers/run_indexes.h"
#include "control/controllers/service_slots.h"
#include "core/jobs.h"
#include "core/lifecycle.h"
#include "core/naming.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

constexpr base::Duration kLookAgain = std::chrono::minutes(1);

class RunPlanner {
 public:
  RunPlanner(const RunSnapshot& snapshot, Now now, base::Random& random)
      : snapshot_(snapshot),
        run_(*snapshot.run),
        job_(snapshot.run->spec().template_()),
        status_(snapshot.run->status()),
        now_(now),
        random_(random),
        nodes_(snapshot.nodes, job_.placement_rules()),
        recorded_(status_.done_indexes().begin(), status_.done_indexes().end()),
        done_(recorded_) {}

  Plan run() {
    if (core::is_ended(status_.state())) {
      for (const auto& task : snapshot_.tasks) tidy(*task);
      return std::move(plan_);
    }
    if (status_.state() == v1::RUN_QUEUED) return cancel_before_it_began();
    indexes_ = indexes_of(snapshot_.tasks);
    look_at_tasks();
    if (done_.size() >= completions()) return end(v1::RUN_SUCCEEDED, done_text());
    if (status_.state() == v1::RUN_ACTIVE) decide();
    if (status_.state() == v1::RUN_CANCELLING) return stop_all();
    for (std::uint32_t index = 0; index < completions(); ++index)
      if (!done_.contains(index)) settle(index);
    for (const auto& task : snapshot_.tasks)
      if (recorded_.contains(task->spec().index())) tidy(*task);
    put_status({});
    return std::move(plan_);
  }

 private:
  std::uint32_t completions() const { return std::max(1u, job_.completions()); }
  std::uint32_t parallelism() const { return std::max(1u, job_.parallelism()); }

  // --- what became of its tasks ---

  void look_at_tasks() {
    std::uint32_t running = 0, failed = 0;
    for (const auto& task : snapshot_.tasks) {
      const auto state = task->status().state();
      if (state == v1::SUCCEEDED) done_.insert(task->spec().index());
      if (state == v1::SUCCEEDED && is_in_the_way(*task) && !recorded_.contains(task->spec().index()))
        status_.add_done_indexes(task->spec().index());
      running += state == v1::RUNNING ? 1 : 0;
      failed += state == v1::FAILED ? 1 : 0;
      if (!is_ended(*task) && task->spec().desired_state() != v1::DESIRED_LOST) ++unended_;
      if (!status_.has_started_at() && task->status().has_started_at())
        *status_.mutable_started_at() = core::to_timestamp(now_.wall);
      if (status_.image_pin().empty() && job_.container().pull_policy() == v1::PULL_MISSING)
        status_.set_image_pin(task->status().image_pin());
    }
    status_.set_running(running);
    status_.set_failed(std::max(failed, status_.failed()));
    status_.set_succeeded(static_cast<std::uint32_t>(done_.size()));
  }

  // Whether it can go on.
  void decide() {
    if (run_.spec().cancelled()) return begin_to_end("somebody cancelled it");
    for (const auto& [index, facts] : indexes_) {
      if (done_.contains(index) || !facts.newest || facts.newest->status().state() != v1::FAILED) continue;
      const unsigned failures = failures_up_to(*facts.newest);
      if (failures <= job_.retries()) continue;
      if (facts.newest->status().has_exit_code()) status_.set_exit_code(facts.newest->status().exit_code());
      return begin_to_end(fmt::format("{} failed{}: {}", short_name(*facts.newest),
                                      failures > 1 ? fmt::format(" {} times", failures) : "",
                                      why_ended(*facts.newest)));
    }
    check_deadline();
  }

  void check_deadline() {
    if (!job_.has_deadline() || !status_.has_started_at()) return;
    const auto deadline = core::from_duration(job_.deadline());
    const auto left = core::from_timestamp(status_.started_at()) + deadline - now_.wall;
    if (left > base::Duration::zero()) return plan_.wake(now_.time + std::min(left, kLookAgain));
    begin_to_end(fmt::format("it took longer than its deadline of {}", in_words(deadline)));
  }

  void begin_to_end(std::string why) {
    status_.set_state(v1::RUN_CANCELLING);
    status_.set_message(std::move(why));
  }

  // --- the end ---

  Plan cancel_before_it_began() {
    if (!run_.spec().cancelled()) return {};
    return end(v1::RUN_CANCELLED, "somebody cancelled it before it began");
  }

  Plan stop_all() {
    bool all_ended = true;
    for (const auto& task : snapshot_.tasks) {
      if (is_ended(*task) || task->spec().desired_state() == v1::DESIRED_LOST) continue;
      if (is_silent(*task) && may_give_up(*task)) {
        plan_.units.push_back(stop_task(*task, v1::DESIRED_LOST, lost_with_node(*task, kRuns), now_));
        continue;
      }
      all_ended = all_ended && !task->spec().has_assignment();
      if (task->spec().desired_state() == v1::DESIRED_RUNNING) plan_.units.push_back(stop_and_keep(*task));
    }
    const bool cancelled = run_.spec().cancelled();
    if (all_ended) return end(cancelled ? v1::RUN_CANCELLED : v1::RUN_FAILED, status_.message());
    put_status({});
    return std::move(plan_);
  }

  // Its object stays, and with it what it wrote.
  Unit stop_and_keep(const v1::Task& task) {
    const core::Decision why{run_.spec().cancelled() ? "Cancelled" : "RunFailed", status_.message(),
                             run_.spec().cancelled() ? asked_by(run_.meta(), kRuns) : core::controller_actor(kRuns)};
    if (!task.spec().has_assignment()) return stop_task(task, v1::DESIRED_STOPPED, why, now_);
    v1::Task changed = task;
    core::note_decision(changed, why, now_.wall);
    changed.mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
    changed.mutable_meta()->set_generation(task.meta().generation() + 1);
    return {{Verb::kPutSpec, std::move(changed)}};
  }

  Plan end(v1::RunState state, const std::string& message) {
    status_.set_state(state);
    status_.set_message(message);
    status_.set_running(0);
    if (state == v1::RUN_SUCCEEDED) status_.set_exit_code(0);
    *status_.mutable_finished_at() = core::to_timestamp(now_.wall);
    const auto say = [&](v1::Event::Severity severity, const char* reason, const std::string& text) {
      put_status({write_event({severity, "Run", stack(), name(), run_.meta().uid(), reason, text, ""}, now_, random_)});
    };
    if (state == v1::RUN_SUCCEEDED) {
      say(v1::Event::INFO, "JobSucceeded", fmt::format("{} {}", name(), message));
    } else if (state == v1::RUN_CANCELLED) {
      say(v1::Event::WARNING, "JobCancelled", fmt::format("{} ended early: {}", name(), message));
    } else {
      say(v1::Event::ERROR, "JobFailed", fmt::format("{} failed: {}", name(), message));
    }
    return std::move(plan_);
  }

  std::string done_text() const {
    if (!status_.has_started_at()) return "succeeded";
    return fmt::format("succeeded after {}", in_words(now_.wall - core::from_timestamp(status_.started_at())));
  }

  static std::string in_words(base::Duration duration) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    if (seconds < 60) return fmt::format("{} s", std::max<std::int64_t>(seconds, 0));
    if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
    return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
  }

  // It ended on a node that is to go and waits for nothing but its tasks, or is gone already.
  bool is_in_the_way(const v1::Task& task) const {
    if (!is_ended(task)) return false;
    const auto found = std::find_if(snapshot_.nodes.begin(), snapshot_.nodes.end(), [&](const NodePtr& node) {
      return node->meta().uid() == task.spec().assignment().node_uid();
    });
    return found == snapshot_.nodes.end() || core::is_deleted((*found)->meta());
  }

  void tidy(const v1::Task& task) {
    if (!core::is_deleted(task.meta()) && is_in_the_way(task))
      plan_.units.push_back(stop_task(task, v1::DESIRED_STOPPED, nodes_.drained(task, kRuns), now_));
  }

  // --- one index ---

  void settle(std::uint32_t index) {
    const auto found = indexes_.find(index);
    if (found == indexes_.end()) return make(index, nullptr, 0, why_begun(), {});
    const RunIndex& facts = found->second;
    if (!facts.newest) return fill(index, facts);
    const TaskPtr& task = facts.newest;
    if (is_ended(*task)) return settle_ended(index, task);
    if (is_silent(*task)) return settle_silent(index, task);
    if (nodes_.condition_of(*task) == NodeCondition::kDrained) return move_away(task);
    if (!task->spec().has_assignment() && !task->spec().placement_message().empty())
      note(fmt::format("{} has no place: {}", short_name(*task), task->spec().placement_message()));
  }

  // What was told to go ends first.
  void fill(std::uint32_t index, const RunIndex& facts) {
    bool blocked = false;
    for (const auto& task : facts.leaving) {
      if (is_silent(*task) && may_give_up(*task)) {
        plan_.units.push_back(stop_task(*task, v1::DESIRED_LOST, lost_with_node(*task, kRuns), now_));
      } else {
        blocked = true;
      }
    }
    if (blocked) return;
    const auto failures = facts.former ? core::label(facts.former->meta(), core::kFailuresLabel) : "";
    make(index, facts.former, static_cast<unsigned>(std::atoi(failures.c_str())), why_again(facts.former), {});
  }

  void settle_ended(std::uint32_t index, const TaskPtr& task) {
    // Stopped, though nobody told it to stop for good: its lease ended, or its node went.
    if (task->status().state() != v1::FAILED)
      return make(
          index, task, failures_up_to(*task), why_again(task),
          stop_task(*task, v1::DESIRED_STOPPED, {"Replaced", "it was stopped before its end", by_controller()}, now_));
    const unsigned failures = failures_up_to(*task);
    const auto known = snapshot_.ended_since.find(task->meta().uid());
    const auto ended = known == snapshot_.ended_since.end() ? now_.time : known->second;
    const auto due = ended + core::retry_delay(job_, failures);
    note(fmt::format("{} failed: {}; it is tried again, {} of {} retries", short_name(*task), why_ended(*task),
                     failures, job_.retries()));
    if (due > now_.time) return plan_.wake(due);
    make(index, task, failures,
         {"Created",
          fmt::format("{} failed and is tried again, {} of {} retries", task->meta().name(), failures, job_.retries()),
          by_controller()},
         {event(*task, v1::Event::WARNING, "JobRetried",
                fmt::format("{} failed ({}) and is tried again, {} of {} retries", short_name(*task), why_ended(*task),
                            failures, job_.retries()))});
  }

  bool is_silent(const v1::Task& task) const {
    const auto condition = nodes_.condition_of(task);
    return condition == NodeCondition::kLost || condition == NodeCondition::kGone;
  }

  // Of a node that was removed nobody will ever hear again; of a lost one as the job says.
  bool may_give_up(const v1::Task& task) {
    const bool gone = nodes_.condition_of(task) == NodeCondition::kGone;
    if (!gone && (job_.on_node_loss() == v1::WAIT || snapshot_.replacement_paused)) return false;
    if (job_.on_node_loss() != v1::FENCE) return true;
    const auto due =
        fenced_by(task, job_.container(), snapshot_.silent_since, gone ? snapshot_.lease : base::Duration{}, now_);
    if (due <= now_.time) return true;
    plan_.wake(due);
    return false;
  }

  void settle_silent(std::uint32_t index, const TaskPtr& task) {
    const auto& node = task->spec().assignment().node();
    if (!may_give_up(*task))
      return note(fmt::format("{} is on node {}, which does not answer", short_name(*task), node));
    --unended_;
    make(index, task, failures_up_to(*task), why_again(task),
         with(stop_task(*task, v1::DESIRED_LOST, lost_with_node(*task, kRuns), now_),
              event(
                  *task, v1::Event::WARNING, "TaskLost",
                  fmt::format("{} is on node {}, which does not answer, and is begun anew", short_name(*task), node))));
  }

  void move_away(const TaskPtr& task) {
    plan_.units.push_back(with(stop_task(*task, v1::DESIRED_STOPPED, nodes_.drained(*task, kRuns), now_),
                               event(*task, v1::Event::INFO, "TaskMoves",
                                     fmt::format("{} leaves node {}, which {}, and is begun anew", short_name(*task),
                                                 task->spec().assignment().node(), nodes_.why_left(*task)))));
  }

  static std::string by_controller() { return core::controller_actor(kRuns); }

  core::Decision why_begun() const {
    const bool scheduled = run_.spec().has_slot();
    return {"Created", scheduled ? "its job's schedule says so" : "",
            scheduled ? by_controller() : asked_by(run_.meta(), kRuns)};
  }

  static core::Decision why_again(const TaskPtr& former) {
    return {"Created", former ? fmt::format("in place of {}", former->meta().name()) : "", by_controller()};
  }

  void make(std::uint32_t index, const TaskPtr& predecessor, unsigned failures, core::Decision why, Unit unit) {
    if (unended_ >= parallelism()) {
      // What it came with is done though there is no room for another now.
      std::erase_if(unit, [](const Write& write) { return std::holds_alternative<v1::Event>(write.object); });
      if (!unit.empty()) plan_.units.push_back(std::move(unit));
      return;
    }
    ++unended_;
    v1::Task task;
    auto& meta = *task.mutable_meta();
    meta.set_name(core::task_name(name(), index, random_.text(6)));
    meta.set_stack(stack());
    meta.set_uid(base::new_uid(random_));
    meta.set_generation(1);
    *meta.mutable_created_at() = core::to_timestamp(now_.wall);
    if (failures > 0) (*meta.mutable_labels())[std::string(core::kFailuresLabel)] = std::to_string(failures);
    auto& spec = *task.mutable_spec();
    spec.set_run(name());
    spec.set_index(index);
    if (predecessor) spec.set_predecessor(predecessor->meta().uid());
    core::note_decision(task, why, now_.wall);
    unit.push_back({Verb::kCreate, std::move(task)});
    plan_.units.push_back(std::move(unit));
  }

  // --- what is said ---

  void note(std::string message) {
    if (note_.empty()) note_ = std::move(message);
  }

  void put_status(Unit unit) {
    if (status_.state() == v1::RUN_ACTIVE) status_.set_message(note_);
    if (!is_same(status_, run_.status())) {
      v1::Run changed = run_;
      *changed.mutable_status() = status_;
      unit.push_back({Verb::kPutStatus, std::move(changed)});
    }
    if (!unit.empty()) plan_.units.push_back(std::move(unit));
  }

  Write event(const v1::Task& task, v1::Event::Severity severity, const char* reason, const std::string& message) {
    return write_event({severity, "Task", stack(), task.meta().name(), task.meta().uid(), reason, message,
                        task.spec().assignment().node()},
                       now_, random_);
  }

  const std::string& name() const { return run_.meta().name(); }
  const std::string& stack() const { return run_.meta().stack(); }

  const RunSnapshot& snapshot_;
  const v1::Run& run_;
  const v1::JobSpec& job_;
  v1::RunStatus status_;
  Now now_;
  base::Random& random_;
  const NodeTable nodes_;
  Plan plan_;
  const std::set<std::uint32_t> recorded_;  // indexes that are done, whatever becomes of their tasks
  std::set<std::uint32_t> done_;
  std::map<std::uint32_t, RunIndex> indexes_;
  std::uint32_t unended_ = 0;  // tasks that run, or will
  std::string note_;           // what is in the way
};

Plan plan_run_removal(const RunSnapshot& snapshot, Now now) {
  Plan plan;
  for (const auto& task : snapshot.tasks)
    if (!core::is_deleted(task->meta()))
      plan.units.push_back(stop_task(*task, v1::DESIRED_STOPPED,
                                     {"RunRemoved", fmt::format("run {} is removed", snapshot.run->meta().name()),
                                      asked_by(snapshot.run->meta(), kRuns)},
                                     now));
  if (snapshot.tasks.empty()) {
    plan.units.push_back({{Verb::kRemove, *snapshot.run}});
    return plan;
  }
  const NodeTable nodes(snapshot.nodes, snapshot.run->spec().template_().placement_rules());
  v1::Run changed = *snapshot.run;
  for (const auto& task : snapshot.tasks)
    if (nodes.condition_of(*task) == NodeCondition::kLost)
      changed.mutable_status()->set_message(fmt::format(
          "waits for node {0}, which does not answer, to stop {1}; `orchion node rm --force {0}` gives it up",
          task->spec().assignment().node(), short_name(*task)));
  if (!is_same(changed.status(), snapshot.run->status()))
    plan.units.push_back({{Verb::kPutStatus, std::move(changed)}});
  return plan;
}

}  // namespace

Plan plan_run(const RunSnapshot& snapshot, Now now, base::Random& random) {
  if (!snapshot.run) return {};
  if (core::is_deleted(snapshot.run->meta())) return plan_run_removal(snapshot, now);
  return RunPlanner(snapshot, now, random).run();
}

}  // namespace orchion::control::controllers
