#pragma once

#include <string>

#include "v1/objects.pb.h"

namespace orchion::cli {

// What a task that failed wrote last, to be put after the reason: each line on a line of its own, indented; empty where
// there is none. Its agent has taken out what would order a terminal about.
std::string last_lines(const v1::TaskStatus& status);

}  // namespace orchion::cli
