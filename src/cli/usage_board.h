#pragma once

// What tasks use, as people see it. Pure.

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/output.h"
#include "cli/progress_row.h"
#include "v1/control.pb.h"

namespace orchion::cli {

enum class UsageOrder { kCpu, kMemory, kName };

// The newest that each node said. A node that says nothing any more, since nothing runs there or since it is away, is
// forgotten after a while.
class UsageBoard {
 public:
  // `silence`: how long a node's word counts.
  explicit UsageBoard(base::Duration silence) : silence_(silence) {}

  // One message of a watch, which is of one node.
  void take(const v1::TaskUsages& usages, base::Time now);

  std::vector<v1::TaskUsage> tasks(base::Time now);

 private:
  struct Word {
    base::Time at;
    v1::TaskUsages usages;
  };
  base::Duration silence_;
  std::map<std::string, Word> nodes_;  // by name
};

std::vector<std::string> usage_heading();
std::vector<std::string> usage_wide_heading();

// The busiest, or the largest, first; equal ones by name.
std::vector<Row> usage_rows(std::vector<v1::TaskUsage> tasks, UsageOrder order);

// "3 tasks on 2 nodes: 151.2% CPU, 300 MiB".
std::string usage_summary(const std::vector<v1::TaskUsage>& tasks);

// The summary, `hint` at its right, and the table below it; no more and no wider than the screen.
std::vector<std::string> usage_screen(const std::vector<v1::TaskUsage>& tasks, UsageOrder order, bool wide,
                                      const std::string& hint, ScreenSize size);

}  // namespace orchion::cli
