#pragma once

#include <chrono>

#include "base/file.h"
#include "node/runtimes/bundle/bundle_records.h"

namespace orchion::node::runtimes::bundle {

// A descriptor of exactly this process; empty where it has ended (or its pid is another's now).
base::UniqueFd open_process(const ProcessIdentity& process);

// Another of the process's own open file. kFailedPrecondition where it has ended.
base::Result<base::UniqueFd> borrow_descriptor(const base::UniqueFd& process, int number);

// No error where it has ended.
base::Result<> signal_process(const base::UniqueFd& process, int signal);

// Blocks; false when it still lives after `limit`. An empty descriptor has ended.
bool wait_for_end(const base::UniqueFd& process, std::chrono::milliseconds limit);

}  // namespace orchion::node::runtimes::bundle
