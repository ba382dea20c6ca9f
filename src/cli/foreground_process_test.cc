#include "cli/foreground_process.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/random.h"

namespace orchion::cli {
namespace {

base::Result<int> run(ForegroundCommand command) {
  boost::asio::io_context io;
  std::optional<base::Result<int>> result;
  boost::asio::co_spawn(io, run_in_foreground(io.get_executor(), std::move(command)),
                        [&](std::exception_ptr, base::Result<int> code) { result = std::move(code); });
  io.run();
  return *result;
}

TEST(ForegroundProcess, TalksByStandardErrorAndEndsWithItsCode) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const auto code = run({{"sh", "-c", "echo out $NAME; echo err >&2; exit 7"}, {{"NAME", "value"}}});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "out value\nerr\n");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(code, 7);
}

TEST(ForegroundProcess, AQuietOneSpeaksWhereItFails) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({{"sh", "-c", "echo fine"}, {}, true}), 0);
  EXPECT_EQ(run({{"sh", "-c", "echo broken; exit 1"}, {}, true}), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "broken\n");
}

TEST(ForegroundProcess, AProgramThatIsntThereIsSaid) {
  const auto code = run({{"orchion-no-such-program"}, {}});
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().code, base::Code::kNotFound);
}

// What the program started ends with it: the child of a shell isn't the shell.
TEST(ForegroundProcess, CancellingItEndsAllThatItStarted) {
  const auto file =
      std::filesystem::temp_directory_path() / ("orchion-foreground-" + base::Random::from_system().text(10));
  boost::asio::io_context io;
  boost::asio::cancellation_signal cancel;
  bool thrown = false;
  boost::asio::co_spawn(
      io,
      run_in_foreground(io.get_executor(),
                        {{"sh", "-c", "sleep 1000 & echo $! > $FILE.new; mv $FILE.new $FILE; wait"}, {{"FILE", file}}}),
      boost::asio::bind_cancellation_slot(
          cancel.slot(), [&](std::exception_ptr error, base::Result<int>) { thrown = error != nullptr; }));
  while (!std::filesystem::exists(file)) io.run_for(std::chrono::milliseconds(5));
  cancel.emit(boost::asio::cancellation_type::all);
  io.run();
  EXPECT_TRUE(thrown);
  pid_t child = 0;
  std::ifstream(file) >> child;
  ASSERT_GT(child, 0);
  // Nobody of ours reaps it: it may stay for a moment as what has ended.
  const auto has_ended = [&] {
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string text;
    std::getline(stat, text);
    return text.empty() || text.find(") Z ") != std::string::npos;
  };
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!has_ended() && std::chrono::steady_clock::now() < limit) io.run_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(has_ended());
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace orchion::cli
