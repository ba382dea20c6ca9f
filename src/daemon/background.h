#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace orchion::daemon {

// Starts `arguments` (this program's, "server" or "agent" first) as a process of its own that outlives this one, its
// log in the data folder, and returns when it is ready. Where it ends instead, the error is its own last word.
base::Result<> start_in_background(const std::filesystem::path& data, std::vector<std::string> arguments);

// In that process: tells the one that waits. Does nothing where nobody does.
void tell_ready();

// This process begins anew, with the same arguments, id and log; returns only where it can't.
base::Error begin_anew();

// Ends the server, or the agent, that runs on this data folder and waits for its end; kNotFound where none does.
base::Result<> stop_server(const std::filesystem::path& data);

}  // namespace orchion::daemon
