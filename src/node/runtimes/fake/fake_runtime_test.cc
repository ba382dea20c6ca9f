#include "node/runtimes/fake/fake_runtime.h"

#include <csignal>

#include "node/runtimes/conformance/runtime_conformance.h"

namespace orchion::node::runtimes {
namespace {

class FakeFactory final : public RuntimeFactory {
 public:
  std::unique_ptr<Runtime> open(base::Executor executor, base::WorkerPool&) override {
    if (!machine_) machine_ = std::make_unique<fake::FakeMachine>(executor, clock_);
    return std::make_unique<fake::FakeRuntime>(*machine_);
  }
  std::vector<std::filesystem::path> layers() override { return {"/layer"}; }
  bool real() const override { return false; }

 private:
  base::SystemClock clock_;
  std::unique_ptr<fake::FakeMachine> machine_;
};

std::unique_ptr<RuntimeFactory> make_fake() {
  return std::make_unique<FakeFactory>();
}

INSTANTIATE_TEST_SUITE_P(Fake, RuntimeConformance, testing::Values(MakeRuntimeFactory(make_fake)));

TEST(FakeCommand, ImitatesAFewCommands) {
  EXPECT_EQ(fake::parse_fake_command({"/bin/sh", "-c", "exit 3"}).exit_code, 3);
  const auto slow = fake::parse_fake_command({"sh", "-c", "sleep 1.5; exit 2"});
  EXPECT_EQ(slow.runs_for, std::chrono::milliseconds(1500));
  EXPECT_EQ(slow.exit_code, 2);
  EXPECT_EQ(fake::parse_fake_command({"echo", "a", "b"}).output, "a b\n");
  EXPECT_FALSE(fake::parse_fake_command({"nginx", "-g", "daemon off;"}).runs_for.has_value());
  EXPECT_FALSE(fake::parse_fake_command({"/no/such/program"}).exists);
  EXPECT_TRUE(fake::parse_fake_command({"sh", "-c", "trap '' TERM; sleep 9"}).ignores_signals);
}

// On a turned clock: nothing happens between two turns, and everything that is due at a turn does.
class FakeRuntimeTest : public testing::Test {
 protected:
  template <class T>
  void spawn(base::Co<T> coroutine, std::optional<base::Result<T>>& result) {
    boost::asio::co_spawn(io_, std::move(coroutine),
                          [&result](std::exception_ptr, base::Result<T> r) { result = std::move(r); });
    settle();
  }
  void settle() {
    io_.restart();
    io_.poll();
  }
  void turn(base::Duration duration) {
    clock_.advance(duration);
    settle();
  }
  ContainerConfig config(std::string script) {
    ContainerConfig result;
    result.id = "c";
    result.arguments = {"sh", "-c", std::move(script)};
    return result;
  }

  boost::asio::io_context io_;
  base::ManualClock clock_;
  fake::FakeMachine machine_{
      io_.get_executor(),
      clock_,
      {.start_latency = std::chrono::milliseconds(50), .stop_latency = std::chrono::milliseconds(20)}};
  fake::FakeRuntime runtime_{machine_};
};

TEST_F(FakeRuntimeTest, StartsAndEndsByTheClock) {
  std::optional<base::Result<>> prepared;
  std::optional<base::Result<ContainerInfo>> started;
  std::optional<base::Result<ExitStatus>> exit;
  spawn(runtime_.prepare(config("sleep 2; exit 4")), prepared);
  spawn(runtime_.start("c", 1), started);
  EXPECT_FALSE(started.has_value());
  turn(std::chrono::milliseconds(50));
  ASSERT_TRUE(started.has_value() && started->has_value());
  spawn(runtime_.wait("c"), exit);
  turn(std::chrono::milliseconds(1999));
  EXPECT_FALSE(exit.has_value());
  EXPECT_EQ(machine_.running(), 1u);
  turn(std::chrono::milliseconds(1));
  ASSERT_TRUE(exit.has_value() && exit->has_value());
  EXPECT_EQ((*exit)->code, 4);
  EXPECT_EQ(machine_.running(), 0u);
}

TEST_F(FakeRuntimeTest, ASignalTakesItsTimeAndACrashDoesNot) {
  std::optional<base::Result<>> done;
  std::optional<base::Result<ContainerInfo>> started;
  std::optional<base::Result<ExitStatus>> exit;
  spawn(runtime_.prepare(config("serve")), done);
  spawn(runtime_.start("c", 1), started);
  turn(std::chrono::milliseconds(50));
  spawn(runtime_.wait("c"), exit);
  spawn(runtime_.signal("c", SIGTERM), done);
  turn(std::chrono::milliseconds(19));
  EXPECT_FALSE(exit.has_value());
  turn(std::chrono::milliseconds(1));
  ASSERT_TRUE(exit.has_value() && exit->has_value());
  EXPECT_EQ((*exit)->signal, SIGTERM);

  started.reset();
  spawn(runtime_.start("c", 2), started);
  turn(std::chrono::milliseconds(50));
  ASSERT_TRUE(started.has_value() && started->has_value());
  exit.reset();
  spawn(runtime_.wait("c"), exit);
  EXPECT_TRUE(machine_.crash("c"));
  settle();
  ASSERT_TRUE(exit.has_value() && exit->has_value());
  EXPECT_EQ((*exit)->code, 139);
  EXPECT_FALSE(machine_.crash("c"));
}

TEST_F(FakeRuntimeTest, StartsFailWhereTheScriptSaysSo) {
  std::optional<base::Result<>> prepared;
  std::optional<base::Result<ContainerInfo>> started;
  spawn(runtime_.prepare(config("serve")), prepared);
  machine_.set_start_error(base::Error{base::Code::kInternal, "no luck", {}});
  spawn(runtime_.start("c", 1), started);
  turn(std::chrono::milliseconds(50));
  ASSERT_TRUE(started.has_value());
  EXPECT_EQ(started->error().message, "no luck");
  EXPECT_EQ(machine_.starts(), 0u);
}

}  // namespace
}  // namespace orchion::node::runtimes
