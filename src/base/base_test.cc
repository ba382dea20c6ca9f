// Concurrency primitives together, on a turned clock.

#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "base/backoff.h"
#include "base/file.h"
#include "base/process.h"
#include "base/stream.h"
#include "base/task_group.h"
#include "base/timeout.h"
#include "base/worker_pool.h"

namespace orchion::base {
namespace {

TEST(ManualClock, WakesSleepersInOrderOfTheirDeadlines) {
  boost::asio::io_context io;
  ManualClock clock;
  TaskGroup group(io.get_executor());
  std::vector<int> woken;
  auto sleeper = [](ManualClock& c, std::vector<int>& out, int seconds) -> Co<> {
    CO_RETURN_IF_ERROR(co_await c.sleep(std::chrono::seconds(seconds)));
    out.push_back(seconds);
    co_return Result<>{};
  };
  for (int seconds : {3, 1, 2}) group.spawn("sleeper", sleeper(clock, woken, seconds));
  io.poll();
  EXPECT_TRUE(woken.empty());
  clock.advance(std::chrono::milliseconds(2500));
  io.restart();
  io.poll();
  EXPECT_EQ(woken, (std::vector<int>{1, 2}));
  clock.advance(std::chrono::seconds(1));
  io.restart();
  io.poll();
  EXPECT_EQ(woken, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(group.size(), 0u);
}

TEST(TaskGroup, ShutdownCancelsAndAwaits) {
  boost::asio::io_context io;
  SystemClock clock;
  TaskGroup group(io.get_executor());
  bool cleaned = false;
  auto forever = [](Clock& c, bool& flag) -> Co<> {
    struct Guard {
      bool& flag;
      ~Guard() { flag = true; }
    } guard{flag};
    co_return co_await c.sleep(std::chrono::hours(1));
  };
  group.spawn("forever", forever(clock, cleaned));
  bool down = false;
  auto stop = [](TaskGroup& g, bool& flag) -> Co<> {
    CO_RETURN_IF_ERROR(co_await g.shutdown());
    flag = true;
    co_return Result<>{};
  };
  boost::asio::co_spawn(io, stop(group, down), boost::asio::detached);
  io.run();
  EXPECT_TRUE(cleaned);
  EXPECT_TRUE(down);
}

TEST(Pipe, CarriesMessagesThenTheClosingError) {
  boost::asio::io_context io;
  auto [a, b] = make_pipe<int, std::string>(io.get_executor(), 2);
  std::vector<std::string> got;
  std::optional<Error> error;
  auto reader = [](Stream<std::string, int>& s, std::vector<std::string>& out, std::optional<Error>& e) -> Co<> {
    while (true) {
      auto next = co_await s.receive();
      if (!next) {
        e = next.error();
        co_return Result<>{};
      }
      if (!*next) co_return Result<>{};
      out.push_back(**next);
    }
  };
  auto writer = [](Stream<int, std::string>& s) -> Co<> {
    for (const char* text : {"one", "two", "three"}) CO_RETURN_IF_ERROR(co_await s.send(text));
    s.finish(Error{Code::kAborted, "enough", {}});
    co_return Result<>{};
  };
  boost::asio::co_spawn(io, reader(*b, got, error), boost::asio::detached);
  boost::asio::co_spawn(io, writer(*a), boost::asio::detached);
  io.run();
  EXPECT_EQ(got, (std::vector<std::string>{"one", "two", "three"}));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->message, "enough");
}

TEST(WithTimeout, EndsWhatTakesTooLong) {
  boost::asio::io_context io;
  SystemClock clock;
  std::optional<Result<>> result;
  auto run = [](SystemClock& c, std::optional<Result<>>& out) -> Co<> {
    out = co_await with_timeout(c, std::chrono::milliseconds(5), "sleeping", c.sleep(std::chrono::hours(1)));
    co_return Result<>{};
  };
  boost::asio::co_spawn(io, run(clock, result), boost::asio::detached);
  io.run();
  ASSERT_TRUE(result.has_value());
  ASSERT_FALSE(result->has_value());
  EXPECT_EQ(result->error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(result->error().message, "sleeping took longer than 5 ms");
}

TEST(WorkerPool, ResumesTheCallerWithTheResult) {
  boost::asio::io_context io;
  WorkerPool pool(2);
  int got = 0;
  auto run = [](WorkerPool& p, int& out) -> Co<> {
    auto job = []() -> Result<int> { return 42; };
    auto result = co_await p.run(job);
    out = result.value_or(0);
    co_return Result<>{};
  };
  boost::asio::co_spawn(io, run(pool, got), boost::asio::detached);
  // The pool's answer arrives from another thread: keep the loop alive until then.
  auto guard = boost::asio::make_work_guard(io);
  while (got == 0) io.run_one();
  EXPECT_EQ(got, 42);
}

TEST(Backoff, DoublesUpToTheLongest) {
  Random random(7);
  Backoff backoff({.first = std::chrono::milliseconds(100), .longest = std::chrono::seconds(1)});
  for (const auto full : {100, 200, 400, 800, 1000, 1000}) {
    const auto delay = std::chrono::duration<double, std::milli>(backoff.next(random)).count();
    EXPECT_GE(delay, full * 0.5);
    EXPECT_LT(delay, full);
  }
}

TEST(Process, ReturnsOutputAndExitCode) {
  auto output = run_process({.arguments = {"sh", "-c", "cat; echo oops >&2; exit 3"}, .standard_input = "hello"});
  ASSERT_TRUE(output.has_value()) << output.error().message;
  EXPECT_EQ(output->exit_code, 3);
  EXPECT_EQ(output->standard_output, "hello");
  EXPECT_EQ(output->standard_error, "oops\n");
}

// A daemon that such a program leaves behind would hold a port of ours for as long as it runs.
TEST(Process, IsGivenNothingThatIsOpenHere) {
  const UniqueFd kept(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  ASSERT_TRUE(kept);
  auto output = run_process({.arguments = {"sh", "-c", "[ -e /proc/$$/fd/$0 ]", std::to_string(kept.get())}});
  ASSERT_TRUE(output.has_value()) << output.error().message;
  EXPECT_EQ(output->exit_code, 1);
}

TEST(Process, IsKilledAtItsLimit) {
  auto output = run_process({.arguments = {"sleep", "60"}, .limit = std::chrono::milliseconds(50)});
  ASSERT_FALSE(output.has_value());
  EXPECT_EQ(output.error().code, Code::kDeadlineExceeded);
}

TEST(Process, IsKilledWhenItsWatchSaysSo) {
  int looks = 0;
  auto output = run_process({.arguments = {"sleep", "60"}, .watch = [&]() -> Result<> {
                               if (++looks < 3) return {};
                               return fail(Code::kUnavailable, "enough");
                             }});
  ASSERT_FALSE(output.has_value());
  EXPECT_EQ(output.error().message, "enough");
  EXPECT_EQ(looks, 3);
}

TEST(File, DurableWriteReplacesTheWhole) {
  const auto folder = std::filesystem::temp_directory_path() / ("orchion-file-" + Random::from_system().text(8));
  ASSERT_TRUE(make_folders(folder).has_value());
  ASSERT_TRUE(write_file_durably(folder / "a", "one").has_value());
  ASSERT_TRUE(write_file_durably(folder / "a", "two").has_value());
  EXPECT_EQ(read_file(folder / "a").value(), "two");
  EXPECT_EQ(read_file(folder / "b").error().code, Code::kNotFound);
  EXPECT_TRUE(remove_tree(folder).has_value());
}

}  // namespace
}  // namespace orchion::base
