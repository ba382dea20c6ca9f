// What only engines have: a gate, other people's containers, and an end of their own.

#include "node/runtimes/engine/engine_runtime.h"

#include <csignal>

#include <gmock/gmock.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "base/process.h"
#include "node/runtimes/engine/engine_test_factory.h"

namespace orchion::node::runtimes::engine {
namespace {

using base::Co;
using base::Code;
using base::Result;
using node::engine::Dialect;
using node::engine::EngineClient;
using node::engine::EngineProcess;
using ::testing::HasSubstr;

class EngineRuntimeTest : public RuntimeTest, public testing::WithParamInterface<Dialect> {
 protected:
  EngineRuntimeTest() : RuntimeTest(nullptr) {}
  void SetUp() override {
    const auto missing = EngineProcess::why_missing(GetParam());
    if (!missing.empty()) GTEST_SKIP() << missing;
    auto factory = std::make_unique<EngineFactory>(GetParam());
    mine_ = factory.get();
    factory_ = std::move(factory);
    reopen();
  }
  bool docker() const { return GetParam() == Dialect::kDocker; }
  std::string name_of(const std::string& id) { return "orchion-" + mine_->options().cluster_short_id + "-" + id; }

  EngineFactory* mine_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineRuntimeTest, testing::Values(Dialect::kDocker, Dialect::kPodman),
                         [](const auto& of) { return std::string(node::engine::dialect_name(of.param)); });

// Podman joins a namespace that is there: only Docker's containers are wired at each start.
class DockerRuntimeTest : public EngineRuntimeTest {};

INSTANTIATE_TEST_SUITE_P(Engines, DockerRuntimeTest, testing::Values(Dialect::kDocker),
                         [](const auto& of) { return std::string(node::engine::dialect_name(of.param)); });

// Shown by the loopback's MTU, which only the wiring sets.
Co<> set_mtu(base::WorkerPool* pool, std::filesystem::path path) {
  auto job = [path]() -> Result<> {
    RETURN_IF_ERROR(base::run_checked(
        {.arguments = {"nsenter", "--net=" + path.string(), "ip", "link", "set", "lo", "mtu", "1234"}}));
    return {};
  };
  co_return co_await pool->run(std::move(job));
}

Co<> refuse_wiring() {
  co_return base::fail(Code::kResourceExhausted, "no address is left");
}

Co<> wait_in_wiring(bool* reached) {
  *reached = true;
  co_return co_await base::wait_for_ever();
}

// A network namespace with a name; gone with it.
class NamedNetwork {
 public:
  NamedNetwork() : name_("oe" + base::Random::from_system().text(8)) { ip({"netns", "add", name_}); }
  ~NamedNetwork() { ip({"netns", "del", name_}); }
  NamedNetwork(const NamedNetwork&) = delete;
  NamedNetwork& operator=(const NamedNetwork&) = delete;
  std::filesystem::path path() const { return "/run/netns/" + name_; }

 private:
  static void ip(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "ip");
    const auto done = base::run_checked({.arguments = std::move(arguments)});
    EXPECT_TRUE(done.has_value()) << done.error().message;
  }
  std::string name_;
};

TEST_P(EngineRuntimeTest, AProgramBeginsInItsWiredNetwork) {
  NamedNetwork network;
  if (docker()) {
    mine_->options().wire = [this](std::string, std::filesystem::path path) { return set_mtu(&pool_, path); };
    reopen();
  } else {
    ASSERT_TRUE(run(set_mtu(&pool_, network.path())).has_value());
  }
  auto config = shell("cat /sys/class/net/lo/mtu");
  config.network_namespace = network.path();
  start(config);
  EXPECT_EQ(wait(config.id).code, 0);
  EXPECT_EQ(output(config.id), "1234\n");
}

TEST_P(DockerRuntimeTest, AFailedWiringIsTheStartsErrorAndMayBeFollowedByAnother) {
  bool refuses = true;
  mine_->options().wire = [&](std::string, std::filesystem::path path) {
    return refuses ? refuse_wiring() : set_mtu(&pool_, path);
  };
  reopen();
  auto config = shell("cat /sys/class/net/lo/mtu");
  config.network_namespace = "/run/netns/none";
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  const auto refused = run(runtime().start(config.id, 1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_EQ((*run(runtime().inspect(config.id)))->phase, ContainerPhase::kPrepared);
  refuses = false;
  ASSERT_TRUE(run(runtime().start(config.id, 1)).has_value());
  EXPECT_EQ(wait(config.id).code, 0);
  EXPECT_EQ(output(config.id), "1234\n");
}

TEST_P(DockerRuntimeTest, AStartThatEndedAtTheGateIsFinishedByTheNextAgent) {
  bool reached = false;
  mine_->options().wire = [&](std::string, std::filesystem::path) { return wait_in_wiring(&reached); };
  reopen();
  auto config = shell("echo once; exit 3");
  config.network_namespace = "/run/netns/none";
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  boost::asio::cancellation_signal end;
  bool ended = false;
  boost::asio::co_spawn(io_, runtime().start(config.id, 1),
                        boost::asio::bind_cancellation_slot(
                            end.slot(), [&](std::exception_ptr, Result<ContainerInfo>) { ended = true; }));
  while (!reached) io_.run_one();
  end.emit(boost::asio::cancellation_type::terminal);
  while (!ended) io_.run_one();
  mine_->options().wire = [this](std::string, std::filesystem::path path) { return set_mtu(&pool_, path); };
  reopen();
  EXPECT_EQ((*run(runtime().inspect(config.id)))->phase, ContainerPhase::kPrepared);
  const auto started = run(runtime().start(config.id, 1));
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ(wait(config.id).code, 3);
  EXPECT_EQ(output(config.id), "once\n");
}

TEST_P(EngineRuntimeTest, AnyUserPassesTheGateAlsoWithAnInitAndATerminal) {
  auto config = shell("id -u; test -t 1 && echo terminal; cat /proc/1/comm; exit 9");
  config.user = "1000:1000";
  config.init = true;
  config.tty = true;
  start(config);
  EXPECT_EQ(wait(config.id).code, 9);
  EXPECT_EQ(output(config.id), "1000\r\nterminal\r\norchion-init\r\n");

  auto missing = command({"/no/such/program"});
  missing.init = true;
  ASSERT_TRUE(run(runtime().prepare(missing)).has_value());
  EXPECT_EQ(run(runtime().start(missing.id, 1)).error().code, Code::kNotFound);
}

TEST_P(EngineRuntimeTest, AContainerIsAsItIsConfigured) {
  auto config = shell(
      "echo $A; pwd; hostname; grep -c friend /etc/hosts; head -1 /etc/resolv.conf; cat /run/secret; stat -c %a "
      "/run/secret; test -w /x || echo read-only; stat -c %a /t; cat /proc/sys/net/core/somaxconn; grep NoNewPrivs "
      "/proc/self/status; ls /dev/orchion; cat /mnt/x; touch /mnt/x || echo kept");
  config.environment = {"A=b"};
  config.working_dir = "/tmp";
  config.hosts = {{"friend", "10.0.0.9"}};
  config.nameservers = {"10.0.0.53"};
  config.read_only_root = true;
  config.files = {{.target = "/run/secret", .bytes = "hidden\n", .mode = 0400}};
  NamedNetwork network;
  config.network_namespace = network.path();
  config.sysctls = {{"net.core.somaxconn", "99"}};
  TestFolder shared;
  ASSERT_TRUE(base::write_file(shared.path() / "x", "shared\n", 0644));
  config.mounts = {{.source = shared.path() / "x", .target = "/mnt/x", .read_only = true},
                   {.type = MountPoint::Type::kTmpfs, .target = "/t", .tmpfs_bytes = 1 << 20, .tmpfs_mode = 0700}};
  mine_->options().wire = [this](std::string, std::filesystem::path path) { return set_mtu(&pool_, path); };
  reopen();
  start(config);
  wait(config.id);
  EXPECT_EQ(output(config.id),
            "b\n/tmp\nconformance\n1\nnameserver 10.0.0.53\nhidden\n400\nread-only\n700\n99\nNoNewPrivs:\t1\ngate\n"
            "shared\nkept\n");
  ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_FALSE(std::filesystem::exists(mine_->options().state_folder / "files" / config.id));
}

TEST_P(EngineRuntimeTest, OtherPeoplesContainersAreUntouched) {
  auto client = std::make_shared<EngineClient>(io_.get_executor(), mine_->clock(), mine_->options().socket);
  const auto config = command({"sleep", "1"});
  const std::string document = std::string(R"({"Image":")") + SharedEngine::kImage + R"(","Cmd":["sleep","9"]})";
  const auto foreign = run(client->create_container(name_of(config.id), document));
  ASSERT_TRUE(foreign.has_value()) << foreign.error().message;
  EXPECT_TRUE(run(runtime().list())->empty());
  EXPECT_FALSE(run(runtime().inspect(config.id))->has_value());
  const auto prepared = run(runtime().prepare(config));
  ASSERT_FALSE(prepared.has_value());
  EXPECT_EQ(prepared.error().code, Code::kAlreadyExists) << prepared.error().message;
  ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_TRUE(run(client->inspect_container(*foreign))->has_value());
  EXPECT_TRUE(run(client->remove_container(*foreign)).has_value());
}

TEST_P(EngineRuntimeTest, WhatSomebodyElseRemovedHasEnded) {
  auto client = std::make_shared<EngineClient>(io_.get_executor(), mine_->clock(), mine_->options().socket);
  const auto config = shell("sleep 1000");
  start(config);
  ASSERT_TRUE(run(client->remove_container(name_of(config.id))).has_value());
  const auto exit = wait(config.id);
  EXPECT_EQ(exit.code, 128 + SIGKILL);
  EXPECT_THAT(exit.reason, HasSubstr("removed"));
}

// Killed while it is waited for and logged. Docker ends its containers when it comes back, Podman's go on by
// themselves.
TEST_P(EngineRuntimeTest, AnEngineMayBeKilledAndStartedAgain) {
  auto& engine = SharedEngine::get(GetParam());
  const auto config =
      shell("trap 'exit 5' TERM; echo begun; while ! test -e /go; do sleep 0.05; done; echo ended; exit 4");
  start(config);
  while (output(config.id).find("begun") == std::string::npos) io_.run_one();
  std::optional<Result<ExitStatus>> exit;
  boost::asio::co_spawn(io_, runtime().wait(config.id),
                        [&](std::exception_ptr, Result<ExitStatus> result) { exit = std::move(result); });
  io_.poll();
  engine.kill();
  EXPECT_EQ(run(runtime().list()).error().code, Code::kUnavailable);
  engine.start();
  if (!docker()) {
    EXPECT_EQ(exec(config.id, {.arguments = {"touch", "/go"}}).exit_code, 0);
  }
  while (!exit) io_.run_one();
  ASSERT_TRUE(exit->has_value()) << exit->error().message;
  if (!docker()) {
    EXPECT_EQ((*exit)->code, 4);
    EXPECT_EQ(output(config.id), "begun\nended\n");
  } else {
    EXPECT_NE((*exit)->code, 0);
    EXPECT_EQ(output(config.id), "begun\n");
  }
  const auto all = run(runtime().list());
  ASSERT_TRUE(all.has_value()) << all.error().message;
  EXPECT_EQ(all->size(), 1u);
}

}  // namespace
}  // namespace orchion::node::runtimes::engine
