// What only containerd's containers have: a daemon that may end, a namespace, a logger.

#include <csignal>

#include <gmock/gmock.h>
#include <boost/asio/co_spawn.hpp>

#include "base/file.h"
#include "base/process.h"
#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/containerd/containerd_test_factory.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::containerd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class ContainerdRuntimeTest : public RuntimeTest {
 protected:
  ContainerdRuntimeTest() : ContainerdRuntimeTest(make_factory()) {}

  void SetUp() override {
    if (made_ == nullptr) GTEST_SKIP() << "containerd is not installed here";
  }

  // What containerd has in our namespace.
  std::string listed(const char* what) const {
    const auto output = base::run_process({.arguments = {"ctr", "--address", options().socket, "--namespace",
                                                         "orchion-" + options().cluster_short_id, what, "list", "-q"}});
    return output ? output->standard_output : output.error().message;
  }

  std::vector<std::string> traces() const {
    std::vector<std::string> found;
    const auto layout = bundle::detect_cgroup_layout();
    for (const auto& hierarchy : layout->hierarchies) {
      const auto group = hierarchy + "/orchion-" + options().cluster_short_id + "-containerd";
      if (std::filesystem::exists(group)) found.push_back(group);
    }
    for (const char* name : {"containers", "logs"}) {
      if (!std::filesystem::exists(options().data_folder / name)) continue;
      for (const auto& entry : std::filesystem::directory_iterator(options().data_folder / name))
        found.push_back(entry.path());
    }
    if (listed("containers") != "") found.push_back("container " + listed("containers"));
    if (listed("tasks") != "") found.push_back("task " + listed("tasks"));
    const auto mounts = base::read_file("/proc/self/mountinfo").value_or("");
    if (mounts.find(options().data_folder.string()) != mounts.npos) found.push_back("mount");
    return found;
  }

  const ContainerdOptions& options() const { return made_->options(); }

 private:
  static std::unique_ptr<ContainerdFactory> make_factory() {
    return PrivateContainerd::installed() ? std::make_unique<ContainerdFactory>() : nullptr;
  }
  explicit ContainerdRuntimeTest(std::unique_ptr<ContainerdFactory> made) : RuntimeTest(nullptr), made_(made.get()) {
    if (!made) return;
    factory_ = std::move(made);
    reopen();
  }

  ContainerdFactory* made_;
};

TEST_F(ContainerdRuntimeTest, ContainersOutliveContainerd) {
  const auto config = shell("echo before; while ! test -e go; do sleep 0.05; done; echo after; exit 6");
  const auto info = start(config);
  std::optional<base::Result<ExitStatus>> exit;
  boost::asio::co_spawn(io_, runtime().wait(config.id),
                        [&](std::exception_ptr, base::Result<ExitStatus> ended) { exit = std::move(ended); });
  io_.poll();
  PrivateContainerd::get().kill();
  const auto meanwhile = run(runtime().inspect(config.id));
  ASSERT_TRUE(meanwhile.has_value() && meanwhile->has_value()) << meanwhile.error().message;
  EXPECT_EQ((*meanwhile)->phase, ContainerPhase::kRunning) << "its shim keeps it";
  EXPECT_EQ((*meanwhile)->pid, info.pid);
  PrivateContainerd::get().start();
  const auto root = std::filesystem::path("/proc") / std::to_string(info.pid) / "root";
  ASSERT_TRUE(base::write_file(root / "go", "x\n"));
  while (!exit) io_.run_one();
  ASSERT_TRUE(exit->has_value()) << exit->error().message;
  EXPECT_EQ((*exit)->code, 6);
  EXPECT_EQ(output(config.id), "before\nafter\n");
}

TEST_F(ContainerdRuntimeTest, WithoutContainerdAStartSaysSo) {
  const auto config = shell("exit 0");
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  PrivateContainerd::get().kill();
  const auto started = run(runtime().start(config.id, 1));
  PrivateContainerd::get().start();
  reopen();  // gRPC lets a moment pass before it tries a socket again
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, base::Code::kUnavailable) << started.error().message;
}

TEST_F(ContainerdRuntimeTest, WhatAnAgentStartedAndDidNotWriteDownIsAdopted) {
  const auto config = shell("sleep 1000");
  const auto before = start(config);
  std::filesystem::remove(options().data_folder / "containers" / config.id / shim::kStatusFile);
  reopen();
  EXPECT_EQ((*run(runtime().inspect(config.id)))->phase, ContainerPhase::kPrepared);
  const auto again = run(runtime().start(config.id, 1));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->pid, before.pid);
}

TEST_F(ContainerdRuntimeTest, AKilledContainerdShimEndsItsContainer) {
  const auto config = shell("sleep 1000");
  const auto info = start(config);
  const auto status = base::read_file("/proc/" + std::to_string(info.pid) + "/status").value_or("");
  const auto at = status.find("PPid:\t");
  ASSERT_NE(at, status.npos);
  ASSERT_EQ(::kill(std::stoi(status.substr(at + 6)), SIGKILL), 0);
  EXPECT_EQ(wait(config.id).signal, SIGKILL);
}

TEST_F(ContainerdRuntimeTest, AnotherOCIRuntimeIsAskedForByName) {
  EXPECT_EQ(runtime().capabilities().oci_runtimes.front(), "runc");
  auto named = shell("exit 3");
  named.oci_runtime = "runc";
  start(named);
  EXPECT_EQ(wait(named.id).code, 3);
  auto unknown = shell("exit 3");
  unknown.oci_runtime = "nosuch";
  const auto prepared = run(runtime().prepare(unknown));
  ASSERT_FALSE(prepared.has_value());
  EXPECT_EQ(prepared.error().code, base::Code::kInvalidArgument);
  EXPECT_THAT(prepared.error().message, HasSubstr("nosuch"));
}

TEST_F(ContainerdRuntimeTest, NothingIsLeft) {
  const auto ended = shell("exit 1");
  const auto running = shell("sleep 1000");
  start(ended);
  wait(ended.id);
  start(running);
  exec(running.id, {.arguments = {"true"}});
  EXPECT_THAT(listed("tasks"), HasSubstr(running.id));
  for (const auto& config : {ended, running}) ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_THAT(traces(), IsEmpty());
}

}  // namespace
}  // namespace orchion::node::runtimes::containerd
