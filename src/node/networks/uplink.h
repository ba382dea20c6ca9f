#pragma once

// The way out of a network namespace that is apart from the machine's: slirp4netns, which carries what leaves it by
// ordinary sockets of its user. Source: slirp4netns(1).

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "base/clock.h"
#include "base/file.h"
#include "base/worker_pool.h"
#include "node/networks/host_ports.h"
#include "node/networks/ruleset.h"

namespace orchion::node::networks {

// A program of its own, which outlives this one, so that containers keep their way out, and their published ports.
// `workers` are in the machine's network. All but keep() is thread-safe.
class Uplink : public std::enable_shared_from_this<Uplink> {
 public:
  // `network` is a namespace's file; notes are kept in `folder`, which goes when the namespace does. `started` is told
  // the program's pid, on any thread; may be empty.
  Uplink(base::Clock& clock, base::WorkerPool& workers, std::filesystem::path network, std::filesystem::path folder,
         std::function<void(pid_t)> started = {});

  // Starts it where it doesn't run. kFailedPrecondition: with what it said. Blocks, until there is a way out.
  base::Result<> start();

  // Does so again whenever it has ended, until it is cancelled.
  base::Co<> keep();

  // Has a port of the machine, on every address or on 127.0.0.1, and leads what comes there into the namespace, to
  // kMachineApart or kLoopbackApart; from now on, also over a new start of the program. Twice is no error. Other
  // addresses are kFailedPrecondition, as is a port that is taken. Blocks; not on a worker.
  base::Result<> forward(const HostPort& port);

  // Has any port of the machine: an IPv4 one as forward() does, then the descriptor is empty; an IPv6 one is bound, for
  // who serves it. Blocks; not on a worker.
  base::Result<base::UniqueFd> have(const HostPort& port);

  // Gives up all other ports. Blocks; not on a worker.
  base::Result<> retain(const std::set<PortKey>& ports);

  // Ends it. No error where it doesn't run. Blocks.
  static base::Result<> end(const std::filesystem::path& folder);

 private:
  base::Result<> start_locked();

  // On a thread in the machine's network, which this waits for.
  template <class Job>
  auto on_machine(Job job) -> decltype(job());

  base::Clock& clock_;
  base::WorkerPool& workers_;
  const std::filesystem::path network_;
  const std::filesystem::path folder_;
  const std::function<void(pid_t)> started_;
  std::mutex mutex_;  // one thing at a time; guards what follows
  std::set<PortKey> wanted_;
};

}  // namespace orchion::node::networks
