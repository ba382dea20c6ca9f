// What of the node reaches into a container: devices, and programs that are called for it.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/file.h"
#include "node/runtimes/conformance/busybox_root.h"
#include "node/runtimes/conformance/runtime_conformance.h"
#include "node/runtimes/features.h"

namespace orchion::node::runtimes {

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Leaves what it is told about the container in `file`.
Hook hook_that_writes(const char* stage, const fs::path& file) {
  return {.stage = stage,
          .path = "/bin/sh",
          .arguments = {"sh", "-c", "cat > $FILE.new && mv $FILE.new $FILE"},
          .environment = {"PATH=/usr/bin:/bin", "FILE=" + file.string()},
          .timeout_s = 20};
}

// Some runtimes call the last hooks beside the end that they tell.
bool appears(const fs::path& file) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!fs::exists(file)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace

TEST_P(RuntimeConformance, DevicesAreTheOnesNamed) {
  if (!factory_->real()) return;
  auto config = shell(
      "(: < /dev/mine) && echo readable; (: > /dev/mine) 2>/dev/null || echo read only; "
      "test -e /dev/kmsg || echo no others");
  // None of those that every container may use.
  const auto* device = fs::exists("/dev/fuse") ? "/dev/fuse" : "/dev/net/tun";
  config.devices = {{device, "/dev/mine", "r"}};
  if (!offers(feature::kDevices, config)) return;
  EXPECT_EQ(said_by(config), "readable\nread only\nno others\n");
}

TEST_P(RuntimeConformance, UsersAreTheContainersOwn) {
  if (!factory_->real()) return;
  const TestFolder folder;
  auto config = shell("cat /proc/self/uid_map; id -u; stat -c %u /bin/busybox; echo > /data/made; sleep 1000");
  config.own_users = true;
  config.mounts = {{.source = folder.path(), .target = "/data"}};
  if (!offers(feature::kOwnUsers, config)) return;
  const auto info = start(config);
  ASSERT_TRUE(appears(folder.path() / "made"));
  const auto status = base::read_file("/proc/" + std::to_string(info.pid) + "/status").value_or("");
  ASSERT_TRUE(run(runtime().signal(config.id, SIGKILL)).has_value());
  wait(config.id);
  std::uint32_t inside = 1, outside = 0, count = 0, user = 1, owner = 1;
  std::istringstream said(output(config.id));
  said >> inside >> outside >> count >> user >> owner;
  EXPECT_EQ(inside + user + owner, 0u) << output(config.id);
  EXPECT_GE(outside, 100'000u);
  EXPECT_THAT(status, HasSubstr("Uid:\t" + std::to_string(outside) + "\t"));
  struct stat made{};
  EXPECT_EQ(::stat((folder.path() / "made").c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, 0u) << "on the disk of a volume the container's own numbers stand";
}

TEST_P(RuntimeConformance, HooksAreCalledAtTheirStages) {
  if (!factory_->real()) return;
  const TestFolder folder;
  auto config = shell("cat /dev/null; exit 3");
  const auto first = folder.path() / "first", last = folder.path() / "last";
  config.hooks = {hook_that_writes("createRuntime", first), hook_that_writes("poststop", last)};
  if (!offers(feature::kHooks, config)) return;
  start(config);
  EXPECT_THAT(base::read_file(first).value_or(""), HasSubstr("\"pid\""));
  EXPECT_EQ(wait(config.id).code, 3);
  ASSERT_TRUE(run(runtime().remove(config.id, false)).has_value());
  EXPECT_TRUE(appears(last));
}

TEST_P(RuntimeConformance, AHookThatFailsKeepsTheContainerFromStarting) {
  if (!factory_->real()) return;
  auto config = shell("echo started");
  config.hooks = {{.stage = "createRuntime", .path = "/bin/false"}};
  if (!offers(feature::kHooks, config)) return;
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  const auto started = run(runtime().start(config.id, 1));
  ASSERT_FALSE(started.has_value());
  EXPECT_THAT(started.error().message, HasSubstr("hook"));
}

}  // namespace orchion::node::runtimes
