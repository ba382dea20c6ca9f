#include "node/runtimes/containerd/task_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/runtimes/containerd/api/runc_options.pb.h"

namespace orchion::node::runtimes::containerd {
namespace {

using testing::ElementsAre;

StartPlan plan() {
  return {.id = "a",
          .attempt = 3,
          .bundle = "/data/containers/a",
          .shim = "/data/shim/orchion-shim-1",
          .layers = {"/layers/top", "/layers/base"},
          .config_json = "{}",
          .oci_runtime = "crun"};
}

TEST(TaskRequests, TheContainerHasItsSpecAndTellsItsAttempt) {
  const auto container = container_of(plan());
  EXPECT_EQ(attempt_of(container), 3u);
  EXPECT_EQ(attempt_of(Container()), 0u);
  EXPECT_EQ(container.runtime().name(), "io.containerd.runc.v2");
  EXPECT_EQ(container.spec().value(), "{}");
  ::containerd::runc::v1::Options options;
  ASSERT_TRUE(options.ParseFromString(container.runtime().options().value()));
  EXPECT_EQ(options.binary_name(), "crun");
  auto ordinary = plan();
  ordinary.oci_runtime = "";
  EXPECT_FALSE(container_of(ordinary).runtime().has_options());
}

TEST(TaskRequests, TheRootIsAnOverlayOfTheLayers) {
  const auto task = task_of(plan());
  ASSERT_EQ(task.rootfs_size(), 1);
  EXPECT_THAT(task.rootfs(0).options(),
              ElementsAre("upperdir=/data/containers/a/upper", "workdir=/data/containers/a/work",
                          "lowerdir=/layers/top:/layers/base"));
  EXPECT_EQ(task.stdout(), "binary:///data/shim/orchion-shim-1?log=3%3A/data/containers/a");
  EXPECT_EQ(task.stderr(), task.stdout());
  auto terminal = plan();
  terminal.tty = true;
  EXPECT_EQ(task_of(terminal).stderr(), "");
  EXPECT_EQ(task_of(terminal).stdin(), "");
  terminal.stdin_open = true;
  EXPECT_EQ(task_of(terminal).stdin(), "/data/containers/a/input");
  terminal.tty = false;
  EXPECT_EQ(task_of(terminal).stdin(), "") << "its program takes the fifo itself";
}

TEST(TaskRequests, WhatAUrlCantHaveIsEscaped) {
  auto odd = plan();
  odd.bundle = "/my data/ä&b";
  EXPECT_EQ(log_uri(odd), "binary:///data/shim/orchion-shim-1?log=3%3A/my%20data/%C3%A4%26b");
}

}  // namespace
}  // namespace orchion::node::runtimes::containerd
