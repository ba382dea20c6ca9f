#include "control/controllers/service_planner.h"

#include <algorithm>
#include <ranges>

#include <fmt/core.h>

#include "control/controllers/decisions.h"
#include "control/controllers/service_moves.h"
#include "control/controllers/service_recovery.h"
#include "control/controllers/service_revisions.h"
#include "control/controllers/service_slots.h"
#include "control/controllers/virtual_addresses_planner.h"
#include "core/defaults.h"
#include "core/lifecycle.h"
#include "core/naming.h"
#include "core/recovery.h"
#include "core/shared_network.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

// A task to be made, with what must happen in the same transaction.
struct NewTask {
  std::uint32_t slot = 0;
  ServiceDecisions::Beginning beginning;
  Unit unit;
  // Where the predecessor failed:
  unsigned failures = 0;
  unsigned restarts = 0;
  std::vector<std::string> avoided = {};
};

class ServicePlanner {
 public:
  ServicePlanner(const ServiceSnapshot& snapshot, Now now, base::Random& random)
      : snapshot_(snapshot),
        service_(*snapshot.service),
        spec_(snapshot.service->spec()),
        wanted_(core::tasks_wanted(snapshot.service->spec())),
        now_(now),
        random_(random),
        nodes_(snapshot.cluster.nodes, snapshot.service->spec().placement()),
        virtual_addresses_(plan_virtual_addresses(*snapshot.service, snapshot.tasks, snapshot.cluster)),
        why_(snapshot),
        revisions_(snapshot, now, random) {}

  Plan run() {
    obstacle_ = service_.status().revision().empty() ? missing_dependency(snapshot_.dependencies) : "";
    if (obstacle_.empty()) obstacle_ = missing_network(snapshot_.cluster, service_);
    if (obstacle_.empty() && revisions_.is_new()) plan_.units.push_back({{Verb::kCreate, revision()}});
    auto slots = slots_of(snapshot_.tasks);
    for (std::uint32_t n = 1; n <= wanted_; ++n) slots[n];
    give_up_what_left_with_its_node();
    // The highest first, so that what is stopped by scaling down is the last that came.
    for (auto& [number, slot] : std::views::reverse(slots)) stop_surplus(number, slot);
    for (auto& [number, slot] : slots)
      if (number >= 1 && number <= wanted_) settle(number, slot);
    update_one();
    make_tasks();
    begin_move(slots);
    abandon_other_moves();
    revisions_.pin(plan_);
    revisions_.prune(plan_);
    write_status();
    return std::move(plan_);
  }

 private:
  // --- one slot ---

  // Fenced tasks that were told to stop, on nodes that are gone, have nobody to say that they ended.
  void give_up_what_left_with_its_node() {
    if (spec_.on_node_loss() != v1::FENCE) return;
    for (const auto& task : snapshot_.tasks) {
      const bool leaves = core::is_deleted(task->meta()) && task->spec().desired_state() != v1::DESIRED_LOST;
      if (leaves && nodes_.condition_of(*task) == NodeCondition::kGone && is_fenced_by_now(*task, snapshot_.lease))
        plan_.units.push_back(stop_lost(*task));
    }
  }

  void stop_surplus(std::uint32_t number, Slot& slot) {
    for (const auto& extra : slot.extras) plan_.units.push_back(stop(*extra, why_.surplus()));
    const bool wanted = number >= 1 && number <= wanted_;
    if (wanted || !slot.current) return;
    if (slot.successor) plan_.units.push_back(stop(*slot.successor, why_.too_many()));
    plan_.units.push_back(stop(*slot.current, why_.too_many()));
    ++stopped_by_scaling_;
  }

  void settle(std::uint32_t number, Slot& slot) {
    if (!slot.current) return fill(number, slot);
    const TaskPtr task = slot.current;
    const auto condition = nodes_.condition_of(*task);
    const bool ended = is_ended(*task);
    if (slot.successor) return settle_move(slot, condition);
    // What it took the place of by a move may be stopping yet.
    const bool is_over =
        condition == NodeCondition::kLost || condition == NodeCondition::kGone || (ended && !is_kept_when_ended(*task));
    if (is_over && is_blocked(slot)) return;
    if (condition == NodeCondition::kGone && !ended && !is_fenced_by_now(*task, snapshot_.lease)) {
      note_lost(*task);
      return;
    }
    if (condition == NodeCondition::kGone && !(ended && is_kept_when_ended(*task)))
      return replace(
          task, v1::DESIRED_LOST, "TaskLost",
          fmt::format("{} was on node {}, which was removed, and is replaced", short_name(*task), node_of(*task)),
          why_.lost(*task));
    if (condition == NodeCondition::kLost && !ended) return settle_lost(task);
    if (condition == NodeCondition::kDrained && !ended) return move_away(task);
    if (!ended && is_without_network(*task)) return follow_network(task);
    if (revisions_.is_outdated(*task)) return settle_outdated(task);
    if (ended && core::wants_replacement(spec_, *task)) return settle_ended(task);
    look_at_current(task, condition);
  }

  bool is_kept_when_ended(const v1::Task& task) const {
    return !revisions_.is_outdated(task) && !core::wants_replacement(spec_, task);
  }

  // Whether somebody who was told to stop is still there: nothing new starts beside them.
  bool is_blocked(const Slot& slot) {
    bool blocked = false;
    for (const auto& task : slot.leaving) {
      const auto condition = nodes_.condition_of(*task);
      if (condition == NodeCondition::kGone && is_fenced_by_now(*task, snapshot_.lease)) continue;
      if (condition == NodeCondition::kLost && may_replace_lost(*task)) {
        plan_.units.push_back(stop_lost(*task));
        continue;
      }
      if (condition == NodeCondition::kLost || condition == NodeCondition::kGone) note_lost(*task);
      blocked = true;
    }
    in_transition_ = in_transition_ || blocked;
    return blocked;
  }

  // Empty: a new task.
  void fill(std::uint32_t number, Slot& slot) {
    if (is_blocked(slot)) return;
    NewTask made{number, why_.in_empty_slot(number, slot.former), {}};
    if (slot.former && moves_away(*slot.former)) {
      const v1::Task& former = *slot.former;
      made.failures = core::label_count(former.meta(), core::kFailuresLabel) + former.status().failures();
      made.restarts = core::restarts_of(former);
      made.avoided.assign(former.spec().avoided_nodes().begin(), former.spec().avoided_nodes().end());
    }
    make(std::move(made));
    ++filled_;
  }

  bool may_replace_lost(const v1::Task& task) {
    const bool wanted = spec_.on_node_loss() == v1::REPLACE || spec_.on_node_loss() == v1::FENCE;
    return wanted && !snapshot_.replacement_paused && spec_.restart().condition() != v1::RestartPolicy::NO &&
           is_fenced_by_now(task, {});
  }

  bool is_fenced_by_now(const v1::Task& task, base::Duration lease) {
    if (spec_.on_node_loss() != v1::FENCE) return true;
    const auto due = fenced_by(task, spec_.container(), snapshot_.silent_since, lease, now_);
    if (due <= now_.time) return true;
    plan_.wake(due);
    return false;
  }

  void settle_lost(const TaskPtr& task) {
    if (may_replace_lost(*task))
      return replace(
          task, v1::DESIRED_LOST, "TaskLost",
          fmt::format("{} is on node {}, which does not answer, and is replaced", short_name(*task), node_of(*task)),
          why_.lost(*task));
    note_lost(*task);
    // An update can't reach it; the others don't wait for it.
    outdated_ = outdated_ || revisions_.is_outdated(*task);
  }

  void move_away(const TaskPtr& task) {
    plan_.units.push_back(with(
        stop(*task, nodes_.drained(*task, kServices)),
        event(*task, v1::Event::INFO, "TaskMoves",
              fmt::format("{} leaves node {}, which {}", short_name(*task), node_of(*task), nodes_.why_left(*task)))));
    in_transition_ = true;
  }

  // It shares a network that goes, or is gone, with the task whose it is.
  bool is_without_network(const v1::Task& task) const {
    const auto& other = spec_.container().network_service();
    // What shares another service's network is of another revision, and replaced by the update.
    const auto is_its_revision = [&](const RevisionPtr& revision) {
      return revision->meta().name() == task.spec().revision() &&
             revision->spec().template_().container().network_service() == other;
    };
    if (!core::shares_network(task) || std::ranges::none_of(snapshot_.revisions, is_its_revision)) return false;
    const auto owner = network_owner_of(snapshot_.cluster, {stack(), other}, task.spec().slot());
    return !owner || owner->meta().uid() != task.spec().assignment().network_of();
  }

  // Into that of the next one, which its successor waits for.
  void follow_network(const TaskPtr& task) {
    const auto owner = core::slot_name(spec_.container().network_service(), task->spec().slot());
    plan_.units.push_back(with(stop(*task, why_.without_network(owner)),
                               event(*task, v1::Event::INFO, "TaskMoves",
                                     fmt::format("{} follows {}, whose network it shares", short_name(*task), owner))));
    in_transition_ = true;
  }

  void settle_outdated(const TaskPtr& task) {
    outdated_ = true;
    if (task->spec().has_assignment() && !is_ended(*task)) {
      outdated_live_.push_back(task);
      return;
    }
    replace(task, v1::DESIRED_STOPPED, "TaskUpdated",
            fmt::format("{} is replaced by revision {}", short_name(*task), revision().meta().name()),
            why_.outdated(*task));
  }

  void settle_ended(const TaskPtr& task) {
    const unsigned failures = failures_after(*task);
    const auto known = snapshot_.ended_since.find(task->meta().uid());
    const auto due = (known == snapshot_.ended_since.end() ? now_.time : known->second) +
                     replacement_delay(spec_.restart(), failures);
    failing_.push_back(task);
    if (due > now_.time) return plan_.wake(due);
    NewTask made{task->spec().slot(), {}, {}};
    if (task->status().state() == v1::FAILED) made.restarts = core::restarts_of(*task) + 1;
    made.failures = failures;
    made.avoided = avoided_by_replacement(spec_, *task, failures);
    replace(std::move(made), task, v1::DESIRED_STOPPED, "TaskReplaced",
            fmt::format("{} ended ({}) and {}{}", short_name(*task), why_ended(*task), what_replaces(spec_),
                        core::last_words(task->status())),
            why_.ended(*task));
  }

  // It is stopped first: what takes its slot finds on it which nodes to avoid.
  bool leave_node(const v1::Task& task) {
    if (!obstacle_.empty() || !looks_for_another_node(spec_, task)) return false;
    TaskToPlace wanted = to_place();
    wanted.avoided = avoided_after(task);
    wanted.slot = task.spec().slot();
    const auto placement = place_tasks(snapshot_.cluster, {wanted}, 0, taken_by(virtual_addresses_)).front();
    if (!placement.assignment || !is_better_elsewhere(task, placement.assignment->node_uid())) return false;
    v1::Task leaving = task;
    leaving.mutable_spec()->mutable_avoided_nodes()->Assign(wanted.avoided.begin(), wanted.avoided.end());
    const auto text =
        fmt::format("{} failed {} times in a row on node {} and is moved: {}{}", short_name(task),
                    task.status().failures(), node_of(task), why_ended(task), core::last_words(task.status()));
    plan_.units.push_back(with(stop(leaving, why_.moved(task)), event(task, v1::Event::WARNING, "TaskMoves", text)));
    in_transition_ = true;
    return true;
  }

  // Up to date, and where it should be.
  void look_at_current(const TaskPtr& task, NodeCondition condition) {
    if (leave_node(*task)) return;
    const auto state = task->status().state();
    if (!task->spec().has_assignment()) unplaced_.push_back(task);
    if (state == v1::RUNNING && condition != NodeCondition::kLost) {
      ++running_;
      has_unready_ = has_unready_ || !core::is_ready(task->status());
    }
    if (state == v1::SUCCEEDED) ++completed_;
    if (state == v1::FAILED || state == v1::STOPPED) failing_.push_back(task);
    if (is_settled(*task)) return;
    in_transition_ = true;
    retrying_ = retrying_ || !core::label(task->meta(), core::kFailuresLabel).empty();
  }

  bool is_settled(const v1::Task& task) {
    if (task.status().state() == v1::SUCCEEDED) return true;
    if (task.status().state() != v1::RUNNING) return false;
    if (task.status().attempt() <= 1) return true;
    const auto known = snapshot_.running_since.find(task.meta().uid());
    const auto settled_at = (known == snapshot_.running_since.end() ? now_.time : known->second) + kSettleTime;
    if (settled_at <= now_.time) return true;
    plan_.wake(settled_at);
    return false;
  }

  // --- moves ---

  // Beside it, on another node, is what is to take its place.
  void settle_move(const Slot& slot, NodeCondition condition) {
    const v1::Task& task = *slot.current;
    moving_ = true;
    if (condition == NodeCondition::kLost && !may_replace_lost(task)) return note_lost(task);
    if (condition == NodeCondition::kLost || condition == NodeCondition::kGone) {
      in_transition_ = true;
      plan_.units.push_back(
          with(stop_lost(task), event(task, v1::Event::WARNING, "TaskLost",
                                      fmt::format("{} was on node {}, which does not answer; it goes on on node {}",
                                                  short_name(task), node_of(task), task.spec().move().node()))));
      return;
    }
    if (revisions_.is_outdated(task)) {
      outdated_ = true;
      return give_up_moves(task, slot.successor.get(), "its service is changed");
    }
    const auto progress = progress_of(task, *slot.successor, spec_.container(), nodes_.condition_of(*slot.successor),
                                      snapshot_.ready_since, now_);
    if (progress.stage == MoveProgress::Stage::kFailed) return give_up_moves(task, slot.successor.get(), progress.why);
    if (progress.look_again) plan_.wake(*progress.look_again);
    if (progress.stage == MoveProgress::Stage::kWaits) return look_at_current(slot.current, condition);
    plan_.units.push_back(with(stop(task, ServiceDecisions::rebalanced(task)),
                               event(task, v1::Event::INFO, "TaskMoved",
                                     fmt::format("{} moved from node {} to node {}", short_name(task), node_of(task),
                                                 task.spec().move().node()))));
    look_at_current(slot.successor, NodeCondition::kGood);
  }

  // The next whose turn it is, while nothing else changes.
  void begin_move(const std::map<std::uint32_t, Slot>& slots) {
    if (moving_) return;
    const auto next = std::ranges::find_if(slots, [](const auto& entry) {
      const auto& task = entry.second.current;
      return task && task->spec().move().has_begun_at();
    });
    if (next == slots.end() || next->first > wanted_) return;
    const v1::Task& task = *next->second.current;
    if (is_written(task)) return;
    if (is_ended(task)) return give_up_moves(task, nullptr, "it ended");
    if (const auto why = why_immovable(spec_); !why.empty()) return give_up_moves(task, nullptr, why);
    if (!new_tasks_.empty() || in_transition_ || has_unready_ || outdated_ || !failing_.empty() || !obstacle_.empty()) {
      const auto left = left_of(task.spec().move(), spec_.container(), now_);
      if (left <= base::Duration::zero()) return give_up_moves(task, nullptr, "other tasks of its service don't run");
      return plan_.wake(now_.time + left);
    }
    TaskToPlace wanted = to_place();
    wanted.slot = task.spec().slot();
    wanted.only_on = task.spec().move().node_uid();
    const auto placement = place_tasks(snapshot_.cluster, {wanted}, 0, taken_by(virtual_addresses_)).front();
    if (!placement.assignment) return give_up_moves(task, nullptr, placement.message);
    NewTask made{task.spec().slot(), ServiceDecisions::after(task, ServiceDecisions::rebalanced(task)), {}};
    made.unit = {event(task, v1::Event::INFO, "TaskMoves",
                       fmt::format("{} moves from node {} to node {}, since {}", short_name(task), node_of(task),
                                   task.spec().move().node(), task.spec().move().reason()))};
    create(made, placement);
  }

  // It goes on where it is.
  void give_up_moves(const v1::Task& task, const v1::Task* successor, const std::string& why) {
    abandoned_ = fmt::format("{} could not move: {}", short_name(task), why);
    Unit unit{stay(task, why), event(task, v1::Event::WARNING, "TaskNotMoved",
                                     fmt::format("{} stays on node {} and does not move to node {}: {}",
                                                 short_name(task), node_of(task), task.spec().move().node(), why))};
    if (successor != nullptr)
      for (auto& write : stop(*successor, {"NotMoved", why, core::controller_actor(kServices)}))
        unit.push_back(std::move(write));
    plan_.units.push_back(std::move(unit));
  }

  // What failed with one would fail with the next.
  void abandon_other_moves() {
    if (abandoned_.empty()) return;
    for (const auto& task : snapshot_.tasks)
      if (task->spec().has_move() && !core::is_deleted(task->meta()) && !is_written(*task))
        plan_.units.push_back({stay(*task, abandoned_)});
  }

  bool is_written(const v1::Task& task) const {
    return std::ranges::any_of(plan_.units, [&](const Unit& unit) {
      return std::ranges::any_of(unit, [&](const Write& write) {
        const auto* written = std::get_if<v1::Task>(&write.object);
        return written != nullptr && written->meta().uid() == task.meta().uid();
      });
    });
  }

  Write stay(const v1::Task& task, const std::string& why) const {
    v1::Task staying = task;
    staying.mutable_spec()->clear_move();
    core::note_decision(staying, {"NotMoved", why, core::controller_actor(kServices)}, now_.wall);
    return {Verb::kPutSpec, std::move(staying)};
  }

  // --- the update ---

  void update_one() {
    if (outdated_live_.empty() || in_transition_ || !failing_.empty() || !new_tasks_.empty() || !obstacle_.empty())
      return;
    // What comes takes over before more goes.
    if (has_unready_) return;
    // Those that don't run have least to lose.
    const auto first = std::find_if(outdated_live_.begin(), outdated_live_.end(),
                                    [](const TaskPtr& task) { return task->status().state() != v1::RUNNING; });
    const v1::Task& task = first == outdated_live_.end() ? *outdated_live_.front() : **first;
    plan_.units.push_back(
        with(stop(task, why_.outdated(task)),
             event(task, v1::Event::INFO, "TaskUpdated",
                   fmt::format("{} is replaced by revision {}", short_name(task), revision().meta().name()))));
  }

  // --- making and ending tasks ---

  Unit stop(const v1::Task& task, core::Decision why) {
    return stop_task(task, v1::DESIRED_STOPPED, std::move(why), now_);
  }

  Unit stop_lost(const v1::Task& task) { return stop_task(task, v1::DESIRED_LOST, why_.lost(task), now_); }

  void replace(const TaskPtr& task, v1::DesiredState desired, const char* reason, const std::string& message,
               const core::Decision& why) {
    replace({task->spec().slot(), {}, {}}, task, desired, reason, message, why);
  }

  // Its predecessor makes room for it.
  void replace(NewTask made, const TaskPtr& former, v1::DesiredState desired, const char* reason,
               const std::string& message, const core::Decision& why) {
    if (!obstacle_.empty()) {
      in_transition_ = true;
      return;
    }
    const v1::Task& task = *former;
    const bool bad = made.failures > 0 || made.restarts > 0 || desired == v1::DESIRED_LOST;
    made.beginning = ServiceDecisions::after(task, why);
    made.unit = with(stop_task(task, desired, why, now_),
                     event(task, bad ? v1::Event::WARNING : v1::Event::INFO, reason, message));
    make(std::move(made));
  }

  void make(NewTask made) {
    in_transition_ = true;
    if (obstacle_.empty()) new_tasks_.push_back(std::move(made));
  }

  TaskToPlace to_place() const {
    TaskToPlace wanted{{stack(), name()}, revisions_.current()};
    wanted.rules = {snapshot_.service, &spec_.placement()};
    wanted.strategy = strategy_of(wanted.rules);
    return wanted;
  }

  // Born with an assignment where there is a place: one durable write less per task.
  void make_tasks() {
    std::vector<TaskToPlace> wanted(new_tasks_.size(), to_place());
    if (wanted.empty()) return;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      wanted[i].avoided = new_tasks_[i].avoided;
      wanted[i].slot = new_tasks_[i].slot;
    }
    const auto placements = place_tasks(snapshot_.cluster, wanted, random_.next(), taken_by(virtual_addresses_));
    for (std::size_t i = 0; i < placements.size(); ++i) create(new_tasks_[i], placements[i]);
  }

  void create(NewTask& made, const Placement& placement) {
    v1::Task task = new_task(made);
    core::note_decision(task, made.beginning.why, now_.wall);
    apply_placement(placement, Cost::of(spec_.container()), kServices, now_, task, made.unit, plan_);
    if (!placement.assignment)
      made.unit.push_back(event(task, v1::Event::WARNING, "TaskNotPlaced",
                                fmt::format("{} has no place: {}", short_name(task), placement.message)));
    say_where_it_stays(made, task);
    made.unit.push_back({Verb::kCreate, std::move(task)});
    plan_.units.push_back(std::move(made.unit));
  }

  void say_where_it_stays(NewTask& made, const v1::Task& task) {
    if (spec_.recovery().action() != v1::Recovery::MOVE || made.avoided.empty() || !task.spec().has_assignment())
      return;
    if (task.spec().assignment().node_uid() != made.avoided.back()) return;
    made.unit.push_back(
        event(task, v1::Event::INFO, "TaskNotMoved",
              fmt::format("{} stays on node {}, since no other can have it", short_name(task), node_of(task))));
  }

  v1::Task new_task(const NewTask& made) {
    v1::Task task;
    auto& meta = *task.mutable_meta();
    meta.set_name(core::task_name(name(), made.slot, random_.text(6)));
    meta.set_stack(stack());
    meta.set_uid(base::new_uid(random_));
    meta.set_generation(1);
    *meta.mutable_created_at() = core::to_timestamp(now_.wall);
    if (made.failures > 0) (*meta.mutable_labels())[core::kFailuresLabel] = std::to_string(made.failures);
    if (made.restarts > 0) (*meta.mutable_labels())[core::kRestartsLabel] = std::to_string(made.restarts);
    auto& spec = *task.mutable_spec();
    spec.set_service(name());
    spec.set_revision(revision().meta().name());
    spec.set_slot(made.slot);
    spec.set_predecessor(made.beginning.predecessor);
    spec.mutable_avoided_nodes()->Assign(made.avoided.begin(), made.avoided.end());
    return task;
  }

  // --- what is said ---

  void note_lost(const v1::Task& task) {
    if (!lost_.empty()) return;
    lost_ = fmt::format("{} is on node {}, which does not answer", short_name(task), node_of(task));
    if (spec_.on_node_loss() == v1::FENCE) lost_ += "; it is replaced when it has surely been stopped there";
    if (snapshot_.replacement_paused && spec_.on_node_loss() != v1::WAIT)
      lost_ += "; it is not replaced, because more than half of the nodes fell silent together";
  }

  bool is_updating() const {
    return outdated_ || (service_.status().updating() && in_transition_) ||
           (service_.status().updating() && !failing_.empty());
  }

  std::string message() const {
    if (!obstacle_.empty()) return obstacle_;
    if (!failing_.empty()) {
      const v1::Task& task = *failing_.front();
      const std::string what =
          fmt::format("{} {}: {}", short_name(task), core::state_name(task.status().state()), why_ended(task));
      if (is_updating()) return fmt::format("the update stopped, because {}", what);
      return core::wants_replacement(spec_, task) ? what + "; it is tried again" : what;
    }
    // Between a failure and the next the reason stands, or it would come and go with every attempt.
    if (retrying_ && !service_.status().message().empty()) return service_.status().message();
    if (!unplaced_.empty())
      return fmt::format("{} has no place: {}", short_name(*unplaced_.front()),
                         unplaced_.front()->spec().placement_message());
    return lost_.empty() ? virtual_addresses_.message : lost_;
  }

  void write_status() {
    v1::Service changed = service_;
    auto& status = *changed.mutable_status();
    status.set_observed_generation(service_.meta().generation());
    if (obstacle_.empty()) status.set_revision(revision().meta().name());
    status.set_tasks_running(running_);
    status.set_tasks_desired(wanted_ - std::min(completed_, wanted_));
    status.set_updating(is_updating());
    status.set_message(message());
    *status.mutable_virtual_addresses() = virtual_addresses_.list;
    claim_virtual_addresses();
    Unit unit = status_events(status);
    if (!is_same(status, service_.status())) unit.push_back({Verb::kPutStatus, std::move(changed)});
    if (!unit.empty()) plan_.units.push_back(std::move(unit));
  }

  // What it gives back is nobody's before that is durable.
  void claim_virtual_addresses() {
    const VirtualAddresses before{service_.status().virtual_addresses(), {}};
    if (taken_by(before) == taken_by(virtual_addresses_)) return;
    v1::Service both = service_;
    both.mutable_status()->mutable_virtual_addresses()->MergeFrom(virtual_addresses_.list);
    plan_.claims.services.push_back(std::move(both));
  }

  Unit status_events(const v1::ServiceStatus& status) {
    Unit unit;
    const auto& before = service_.status();
    const auto say = [&](v1::Event::Severity severity, const char* reason, const std::string& text) {
      unit.push_back(
          write_event({severity, "Service", stack(), name(), service_.meta().uid(), reason, text, ""}, now_, random_));
    };
    if (filled_ > 0 && obstacle_.empty())
      say(v1::Event::INFO, "TasksMade",
          fmt::format("{}: {} of revision {} made", name(), tasks(filled_), revision().meta().name()));
    if (stopped_by_scaling_ > 0)
      say(v1::Event::INFO, "TasksStopped",
          fmt::format("{}: {} more than {} stopped", name(), tasks(stopped_by_scaling_), wanted_));
    if (!before.updating() && status.updating())
      say(v1::Event::INFO, "UpdateStarted", fmt::format("{} moves to revision {}", name(), status.revision()));
    if (before.updating() && !status.updating())
      say(v1::Event::INFO, "UpdateFinished", fmt::format("{} runs revision {}", name(), status.revision()));
    const bool stopped = status.updating() && !failing_.empty();
    if (stopped && status.message() != before.message())
      say(v1::Event::ERROR, "UpdateStopped", fmt::format("{}: {}", name(), status.message()));
    return unit;
  }

  static std::string tasks(std::uint32_t count) { return fmt::format("{} {}", count, count == 1 ? "task" : "tasks"); }

  Write event(const v1::Task& task, v1::Event::Severity severity, const char* reason, const std::string& message) {
    return write_event(
        {severity, "Task", stack(), task.meta().name(), task.meta().uid(), reason, message, node_of(task)}, now_,
        random_);
  }

  const v1::Revision& revision() const { return *revisions_.current(); }
  static const std::string& node_of(const v1::Task& task) { return task.spec().assignment().node(); }
  const std::string& stack() const { return service_.meta().stack(); }
  const std::string& name() const { return service_.meta().name(); }

  const ServiceSnapshot& snapshot_;
  const v1::Service& service_;
  const v1::ServiceSpec& spec_;
  const std::uint32_t wanted_;
  Now now_;
  base::Random& random_;
  NodeTable nodes_;
  const VirtualAddresses virtual_addresses_;
  const ServiceDecisions why_;
  Plan plan_;

  ServiceRevisions revisions_;
  std::string obstacle_;  // why no task is made now

  // Found while the slots were settled.
  std::vector<NewTask> new_tasks_;
  std::vector<TaskPtr> outdated_live_, failing_, unplaced_;
  std::string lost_;
  bool outdated_ = false;
  bool retrying_ = false;       // a task that comes after a failed one doesn't run yet
  bool in_transition_ = false;  // a slot is empty, or what is in it doesn't run yet
  std::string abandoned_;       // why its tasks move no more
  bool moving_ = false;         // one of its tasks moves, and what takes its place isn't ready yet
  bool has_unready_ = false;    // a task of the current revision runs, and names don't lead to it yet
  std::uint32_t running_ = 0, completed_ = 0, filled_ = 0, stopped_by_scaling_ = 0;
};

}  // namespace

Plan plan_service(const ServiceSnapshot& snapshot, Now now, base::Random& random) {
  if (!snapshot.service) return {};
  if (core::is_deleted(snapshot.service->meta())) return plan_service_removal(snapshot, now, random);
  return ServicePlanner(snapshot, now, random).run();
}

}  // namespace orchion::control::controllers
