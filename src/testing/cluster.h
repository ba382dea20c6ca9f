#pragma once

// A whole cluster on one loop, a turned clock and one seed: the real control plane and real agents over machines that
// only seem to run containers. Every step is checked; a run that went wrong says how to repeat it.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "testing/faulty_store.h"
#include "testing/history_checker.h"
#include "testing/machine.h"
#include "testing/server.h"
#include "testing/state_checker.h"

namespace orchion::testing {

struct ClusterOptions {
  std::vector<std::string> images = {"app:1", "app:2"};  // what the machines' registry has
  base::log::Level log = base::log::Level::kOff;         // faults make agents warn a lot
};

// One thread. Steps return when they have happened; time goes on only in advance(), and in call() while it waits.
class Cluster {
 public:
  // All agents run and have joined. Machines are numbered from 0, their nodes named "node-00", "node-01", ….
  Cluster(int machines, std::uint64_t seed, ClusterOptions options = {});
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // A unary rpc: "orchion.v1.StackService.GetStack". kDeadlineExceeded after 30 s of the clock.
  template <class Response, class Request>
  base::Result<Response> call(std::string_view method, const Request& request) {
    ASSIGN_OR_RETURN(auto response, call_any(method, std::make_unique<Request>(request)));
    return std::move(static_cast<Response&>(*response));
  }

  // Turns the clock from deadline to deadline; between them everything that is ready runs, and the checkers look.
  void advance(base::Duration duration);

  // A minute without faults, after which check_quiet() must hold.
  void quiet();

  // --- faults; each on a machine where it makes sense ---

  void kill_agent(int machine);  // its containers run on
  void start_agent(int machine);
  void lose_power(int machine);  // kills the agent, too; start_agent() boots it
  void cut_link(int machine);    // the agent can't reach the control plane
  void mend_link(int machine);
  void crash_container(int machine, const std::string& id);
  void restart_server();
  void disturb_link(int machine, const Disturbance& disturbance);  // {}: no longer
  void jump_clock(int machine, base::Duration by);                 // the time of day alone, as its agent sees it
  void jump_server_clock(base::Duration by);
  void slow_store(base::Duration delay);  // of each commit; 0: no longer
  void fill_store(bool full);             // it refuses every commit

  // --- looking at it ---

  const control::store::View& view() const { return server_->view(); }
  HistoryChecker& history() { return history_; }
  Machine& machine(int index) { return *machines_.at(static_cast<std::size_t>(index)); }
  int size() const { return static_cast<int>(machines_.size()); }
  base::Time now() const { return clock_.now(); }
  std::vector<std::string> running_on(int machine);  // ids of containers, in order
  std::vector<std::string> leftovers();              // of all machines

  // For what only the caller knows: where it doesn't hold, `what` is wrong.
  void expect(bool holds, const std::string& what);

  // Empty: nothing was ever wrong. Else the seed, the steps and what was wrong after them.
  std::string report() const;

 private:
  base::Result<core::MessagePtr> call_any(std::string_view method, core::MessagePtr request);
  void start_server();
  void stop_server();
  void step(std::string what);
  void look();
  void wrong(const std::string& what);

  // Runs it to its end; time goes on only where it has to.
  void finish(std::string_view what, base::Co<> coroutine);
  void run_ready();
  // To the next deadline or to `end`, whichever is first.
  void turn_clock(base::Time end);

  std::uint64_t seed_;
  base::Random random_;
  std::filesystem::path folder_;
  boost::asio::io_context io_;
  base::ManualClock clock_;
  SkewedClock server_clock_{clock_};
  control::store::MemoryStore memory_;
  FaultyStore store_{memory_, clock_};
  HistoryChecker history_;
  Machines machines_;
  std::unique_ptr<Server> server_;
  std::vector<std::string> steps_;
  std::vector<std::string> wrong_;
  std::size_t violations_seen_ = 0;
};

}  // namespace orchion::testing
