#pragma once

#include <sys/types.h>

#include "node/shim/program/child.h"

namespace orchion::node::shim {

// What of the record in the working folder is the shim's own to do.
struct TerminalSize {
  int columns = 80;
  int rows = 24;
};
TerminalSize program_terminal_size();

// Makes the program's cgroups and sets their limits; false where that failed, and was reported.
bool make_program_groups();

// Starts the program that is described in the working folder (bundle.h: kProgramFile and its neighbours), in a session,
// cgroups and under a user of its own. −1 where that failed, and was reported. Returns when it runs.
pid_t start_program(ChildStreams streams, bool tty);

}  // namespace orchion::node::shim
