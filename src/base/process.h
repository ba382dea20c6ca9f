#pragma once

// Running another program to its end and reading what it said.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace orchion::base {

struct Command {
  // argv[0] is looked up in PATH. Never put a secret here: arguments are world-readable.
  std::vector<std::string> arguments;

  // Added to this process's environment.
  std::vector<std::pair<std::string, std::string>> environment;
  std::string standard_input;

  // Then SIGKILL, and kDeadlineExceeded.
  Duration limit = std::chrono::seconds(60);

  // Asked every quarter of a second while the program runs: an error ends it with SIGKILL and is the result. May be
  // empty.
  std::function<Result<>()> watch;

  // Of standard output and of standard error each; more is kResourceExhausted.
  std::size_t output_bytes_max = 16u << 20;
};

struct ProcessOutput {
  int exit_code = 0;  // 128 + signal where a signal ended it
  std::string standard_output;
  std::string standard_error;
};

// The program is given its three streams and nothing else that is open here. Blocks: call it on a WorkerPool.
// kNotFound where the program doesn't exist. A non-zero exit is no error.
Result<ProcessOutput> run_process(const Command& command);

// As run_process, but a non-zero exit is kInternal with the program's last line on standard error.
Result<std::string> run_checked(const Command& command);

// The full path of a program in PATH or in the usual system folders; kNotFound with the name.
Result<std::string> find_program(const std::string& name);

}  // namespace orchion::base
