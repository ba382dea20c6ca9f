#pragma once

// Programs beside this one that outlive it. Each holds a lock on a file with its pid for as long as it lives.

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace orchion::node::networks {

struct LastingProgram {
  std::filesystem::path notes;         // its files are NOTES.pid and NOTES.log, what it says
  std::vector<std::string> arguments;  // the first is looked up in PATH
};

// What the program has as a descriptor: the end of a pipe.
inline constexpr int kReadyFd = 3;

// Returns when it works: a child of init's or ours, in a session of its own. False: it runs already. `until_ready` gets
// the pipe's other end, and waits; where it fails the program is ended, and what it said is in the error. Blocks.
base::Result<bool> start_lasting(const LastingProgram& program,
                                 const std::function<base::Result<>(int pipe)>& until_ready);

// Of the program that was started last, whether or not it lives; 0: none.
pid_t pid_of_lasting(const std::filesystem::path& notes);

// Ends it with SIGTERM, and returns when it is gone; after some seconds with SIGKILL. No error where it doesn't run.
base::Result<> end_lasting(const std::filesystem::path& notes);

}  // namespace orchion::node::networks
