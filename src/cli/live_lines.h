#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/context.h"
#include "cli/progress_row.h"

namespace orchion::cli {

// Lines at the end of standard error that are drawn again and again in their place. One thread.
class LiveLines {
 public:
  explicit LiveLines(Colours colours) : colours_(colours) {}

  // Draws where anything has changed; the size of the terminal is looked up each time.
  void show(const std::vector<ProgressRow>& rows);

  // Something else was printed below: the next ones are drawn below that.
  void leave() { drawn_.clear(); }

 private:
  Colours colours_;
  std::vector<std::string> drawn_;
};

// Null where lines are printed one after the other instead: no terminal, TERM=dumb, --progress plain or quiet.
std::shared_ptr<LiveLines> live_lines(const Context& context);

using ProgressRows = std::function<std::vector<ProgressRow>(base::Duration elapsed)>;

// Shows what `rows` says until it is cancelled; without lines it only waits for that.
base::Co<> keep_drawn(base::Clock* clock, std::shared_ptr<LiveLines> live, ProgressRows rows);

}  // namespace orchion::cli
