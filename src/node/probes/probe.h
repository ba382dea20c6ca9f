#pragma once

// Asking a running task once whether it does its work.

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "node/runtimes/runtime.h"
#include "v1/specs.pb.h"

namespace orchion::node::probes {

// What asking once came to.
struct Outcome {
  enum class Verdict { kGood, kBad, kUnknown };
  Verdict verdict = Verdict::kUnknown;  // kUnknown: it couldn't be asked, which is no fault of the task's
  std::string output;                   // what was answered, or why not; valid UTF-8, 4 KiB at most
};

constexpr std::size_t kOutputBytesMax = 4096;

// Where a task is asked. Copied; what it refers to outlives each probe.
struct Target {
  // A TCP socket of this family where the task's programs have theirs: not connected, not blocking.
  using MakeSocket = std::function<base::Co<base::UniqueFd>(int family)>;

  runtimes::Runtime* runtime = nullptr;  // for commands
  std::string id;                        // the container's there
  MakeSocket make_socket;
  std::vector<std::string> addresses;  // tried one after the other: the loopback first
};

// Asks as `check` says, for `timeout` at the longest. Never an error but where cancelled: what can't be reached,
// answers something else or takes too long is kBad.
base::Co<Outcome> probe(base::Clock& clock, Target target, v1::HealthCheck check, base::Duration timeout);

// What was said, as one line of at most 300 bytes: for a status.
std::string one_line(const std::string& output);

}  // namespace orchion::node::probes
