#pragma once

// How far moves of tasks between nodes are, by what a watch says of tasks. Pure.

#include <map>
#include <string>
#include <vector>

#include "cli/progress_row.h"
#include "v1/control.pb.h"

namespace orchion::cli {

class MoveProgress {
 public:
  explicit MoveProgress(std::vector<v1::PlannedMove> moves) : moves_(std::move(moves)), outcomes_(moves_.size()) {}

  void put(const v1::Task& task) { tasks_[task.meta().uid()] = task; }
  void remove_task(const std::string& uid) { tasks_.erase(uid); }

  // After all tasks that there are, and after each commit: judges the moves by them. What has ended stays so.
  void look();

  bool is_done() const;
  std::size_t moves() const { return moves_.size(); }
  std::size_t moved() const;

  // A sentence for each that came to nothing.
  std::vector<std::string> failures() const;

  std::vector<ProgressRow> rows() const;

 private:
  struct Outcome {
    ProgressRow::Mark mark = ProgressRow::Mark::kWaiting;
    std::string text = "waits for its turn";
  };

  Outcome judge(const v1::PlannedMove& move) const;
  const v1::Task* successor_of(const v1::PlannedMove& move) const;  // there; null: there is none, or it has to go

  std::vector<v1::PlannedMove> moves_;
  std::vector<Outcome> outcomes_;
  std::map<std::string, v1::Task> tasks_;  // by uid
};

}  // namespace orchion::cli
