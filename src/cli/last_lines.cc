#include "cli/last_lines.h"

namespace orchion::cli {

std::string last_lines(const v1::TaskStatus& status) {
  std::string text;
  for (const auto& line : status.last_output()) text += "\n  | " + line;
  return text;
}

}  // namespace orchion::cli
