#include "cli/move_progress.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/lifecycle.h"
#include "core/task_state.h"

namespace orchion::cli {

namespace {

using Mark = ProgressRow::Mark;

bool has_ended(Mark mark) {
  return mark == Mark::kDone || mark == Mark::kFailed;
}

std::string why_not_moved(const v1::Task& task) {
  const auto& changes = task.spec().changes();
  const auto said = std::find_if(changes.rbegin(), changes.rend(),
                                 [](const v1::TaskChange& change) { return change.reason() == "NotMoved"; });
  return said == changes.rend() ? "it was given up" : said->message();
}

std::string name_of(const v1::PlannedMove& move) {
  return move.stack() + "/" + move.slot();
}

}  // namespace

const v1::Task* MoveProgress::successor_of(const v1::PlannedMove& move) const {
  for (const auto& [uid, task] : tasks_)
    if (task.spec().predecessor() == move.task_uid() && task.spec().assignment().node() == move.to() &&
        !core::is_deleted(task.meta()))
      return &task;
  return nullptr;
}

MoveProgress::Outcome MoveProgress::judge(const v1::PlannedMove& move) const {
  const auto found = tasks_.find(move.task_uid());
  const v1::Task* successor = successor_of(move);
  if (found == tasks_.end() || core::is_deleted(found->second.meta())) {
    if (successor != nullptr && found != tasks_.end() && !core::is_terminal(found->second.status().state()))
      return {Mark::kWorking, fmt::format("from {} to {}: the one on {} stops", move.from(), move.to(), move.from())};
    if (successor != nullptr) return {Mark::kDone, fmt::format("moved from {} to {}", move.from(), move.to())};
    return {Mark::kFailed, "it was stopped or replaced meanwhile; `orchion events` says why"};
  }
  const v1::Task& task = found->second;
  if (!task.spec().has_move())
    return {Mark::kFailed, fmt::format("it stays on {}: {}", move.from(), why_not_moved(task))};
  if (!task.spec().move().has_begun_at()) return {};
  return {Mark::kWorking,
          fmt::format("from {} to {}: {}", move.from(), move.to(),
                      successor == nullptr                         ? "waits for its service to come to rest"
                      : successor->status().state() != v1::RUNNING ? core::state_name(successor->status().state())
                      : core::is_well(successor->status())         ? "ready, and watched for a moment"
                                                                   : "waits until it is ready")};
}

void MoveProgress::look() {
  for (std::size_t i = 0; i < moves_.size(); ++i)
    if (!has_ended(outcomes_[i].mark)) outcomes_[i] = judge(moves_[i]);
}

bool MoveProgress::is_done() const {
  return std::ranges::all_of(outcomes_, [](const Outcome& outcome) { return has_ended(outcome.mark); });
}

std::size_t MoveProgress::moved() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(outcomes_, [](const Outcome& outcome) { return outcome.mark == Mark::kDone; }));
}

std::vector<std::string> MoveProgress::failures() const {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < moves_.size(); ++i)
    if (outcomes_[i].mark == Mark::kFailed)
      result.push_back(fmt::format("{} did not move: {}", name_of(moves_[i]), outcomes_[i].text));
  return result;
}

std::vector<ProgressRow> MoveProgress::rows() const {
  std::vector<ProgressRow> rows;
  for (std::size_t i = 0; i < moves_.size(); ++i)
    rows.push_back({outcomes_[i].mark, name_of(moves_[i]), outcomes_[i].text});
  return rows;
}

}  // namespace orchion::cli
