// What asking costs this process: the clock, the waits and the books of it, with and without a connection.

#include <sys/resource.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "base/task_group.h"
#include "base/timeout.h"
#include "node/probes/monitor.h"

namespace orchion::node::probes {
namespace {

constexpr int kTasks = 1000;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A probe in all but its connection: bounded in time, as each is.
base::Co<Outcome> ask_nothing() {
  co_return Outcome{Outcome::Verdict::kGood, "HTTP status 200"};
}

base::Co<Outcome> ask(base::Clock& clock, int* asked, base::Duration timeout) {
  ++*asked;
  co_return co_await base::with_timeout(clock, timeout, "the check", ask_nothing());
}

// Each of a thousand tasks is asked once a second, for as long as ORCHION_PROBE_SECONDS says.
TEST(ProbeCost, AThousandASecond) {
  const char* given = std::getenv("ORCHION_PROBE_SECONDS");
  const auto seconds = std::chrono::milliseconds(given == nullptr ? 1500 : 1000 * std::atoi(given));
  boost::asio::io_context io;
  base::SystemClock clock;
  base::Random random(1);
  base::TaskGroup group(io.get_executor());
  int asked = 0;
  v1::HealthCheck check;
  check.mutable_tcp()->set_port(1);
  check.mutable_interval()->set_seconds(1);
  std::vector<std::shared_ptr<Monitor>> monitors;
  for (int i = 0; i < kTasks; ++i) {
    Monitor::Parts parts{
        .clock = clock,
        .random = random,
        .ask = [&](const v1::HealthCheck&, base::Duration timeout) { return ask(clock, &asked, timeout); },
        .changed = [] {}};
    monitors.push_back(
        std::make_shared<Monitor>(std::move(parts), CheckSet{.liveness = check}, clock.wall(), Findings(), false));
    group.spawn("checking", monitors.back()->run());
  }
  io.run_for(std::chrono::milliseconds(1100));
  asked = 0;
  const auto before = cpu_seconds();
  io.run_for(seconds);
  const auto spent = cpu_seconds() - before;
  EXPECT_GE(asked, kTasks);
  std::cout << asked << " probes in " << seconds.count() << " ms: " << 1e6 * spent / asked << " µs of CPU each, "
            << 1e5 * spent / asked * kTasks / 1e3 << " % of a core for a thousand a second\n";
  for (const auto& monitor : monitors) monitor->stop();
  boost::asio::co_spawn(io, group.shutdown(), boost::asio::detached);
  io.restart();
  io.run();
}

}  // namespace
}  // namespace orchion::node::probes
