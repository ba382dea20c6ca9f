#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/co.h"

namespace orchion::cli {

struct ForegroundCommand {
  std::vector<std::string> arguments;                            // argv[0] is looked up in PATH; never a secret
  std::vector<std::pair<std::string, std::string>> environment;  // added to this process's
  bool quiet = false;                                            // what it says is shown only where it fails
};

// Runs a program that talks to the user by standard error: its standard output goes there too, and it is given no
// input. Returns its exit code, 128 + signal where one ended it. It has a process group of its own, which is ended when
// the call is cancelled: by SIGTERM, and by SIGKILL where that takes long. kNotFound where there is no such program.
base::Co<int> run_in_foreground(base::Executor executor, ForegroundCommand command);

}  // namespace orchion::cli
