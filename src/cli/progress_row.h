#pragma once

// What people see while they wait. Pure.

#include <string>
#include <vector>

namespace orchion::cli {

// One line of what goes on.
struct ProgressRow {
  enum class Mark { kWaiting, kWorking, kDone, kFailed };

  Mark mark = Mark::kWorking;
  std::string name;
  std::string text;

  bool operator==(const ProgressRow&) const = default;
};

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

enum class Colours { kNone, kAnsi };

// Names stand in one column. No line is wider than the screen; where there are more than fit, what is done is left out
// first, and a last line counts what isn't shown.
std::vector<std::string> progress_lines(const std::vector<ProgressRow>& rows, ScreenSize size, Colours colours);

// Without what would move the cursor, and at most so wide; what is cut off ends with "…".
std::string fitted(std::string text, std::size_t columns);

// What a terminal is sent to have `lines` where it shows the last `drawn` ones: plain ANSI, no cursor is hidden.
std::string redraw(std::size_t drawn, const std::vector<std::string>& lines);

// "12s" or "3m 05s".
std::string elapsed_text(std::int64_t seconds);

}  // namespace orchion::cli
