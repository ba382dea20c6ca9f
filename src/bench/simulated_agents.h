#pragma once

// Nodes for benchmarks: each speaks DispatcherService.Session over gRPC as an agent does, and starts nothing.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "bench/latency_histogram.h"

namespace orchion::bench {

// What all of them saw, for any thread to read.
struct AgentTally {
  std::atomic<std::size_t> joined = 0;    // nodes that have had their first full set
  std::atomic<std::size_t> sessions = 0;  // one for each node, more where some were cut
  std::atomic<std::size_t> assigned = 0;  // tasks that came to their nodes
  std::atomic<std::size_t> reported = 0;  // tasks that were said to run
  // When the newest of the tasks that came had been made, with its place: by the server's wall clock, ns.
  std::atomic<std::int64_t> decided_at = 0;
  std::atomic<std::int64_t> assigned_at = 0;  // when the last task came: steady clock, ns
  std::atomic<bool> counts_heartbeats = true;
  LatencyHistogram heartbeats;  // from a sign of life to its answer

  void raise(std::atomic<std::int64_t>& newest, std::int64_t value);
};

struct SimulatedAgentsOptions {
  std::string server;  // "127.0.0.1:4601"
  std::string token;
  std::size_t count = 0;
};

// All on one thread of their own, from the constructor to the destructor. A session that ends is begun anew, as agents
// do it; the first error that ended one is kept.
class SimulatedAgents {
 public:
  SimulatedAgents(const SimulatedAgentsOptions& options, AgentTally& tally);
  ~SimulatedAgents();

  // Why the last session that was cut was cut; empty: none was. Any thread.
  std::string last_error() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace orchion::bench
