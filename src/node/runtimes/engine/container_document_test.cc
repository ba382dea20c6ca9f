#include "node/runtimes/engine/container_document.h"

#include <functional>

#include <gmock/gmock.h>

namespace orchion::node::runtimes::engine {
namespace {

using base::Code;
using node::engine::Dialect;
using ::testing::HasSubstr;

ContainerConfig simple() {
  ContainerConfig config;
  config.id = "uid";
  config.image = "sha256:1";
  config.arguments = {"run"};
  return config;
}

DocumentContext context(Dialect dialect) {
  return {.dialect = dialect,
          .cluster_short_id = "abc",
          .oci_runtimes =
              dialect == Dialect::kDocker ? std::vector<std::string>{"runc", "crun"} : std::vector<std::string>{},
          .wires = true,
          .folder = "/data/uid",
          .gate_folder = "/data/uid/gate",
          .files_folder = "/state/uid"};
}

TEST(ContainerDocument, NetworksAreTheAgentsInBothWays) {
  auto config = simple();
  EXPECT_THAT(container_document(config, context(Dialect::kDocker)).value(), HasSubstr(R"("NetworkMode":"host")"));
  config.network_namespace = "/run/netns/x";
  EXPECT_THAT(container_document(config, context(Dialect::kDocker)).value(), HasSubstr(R"("NetworkMode":"none")"));
  EXPECT_THAT(container_document(config, context(Dialect::kPodman)).value(),
              HasSubstr(R"("NetworkMode":"ns:/run/netns/x")"));
  auto unwired = context(Dialect::kDocker);
  unwired.wires = false;
  EXPECT_EQ(container_document(config, unwired).error().code, Code::kFailedPrecondition);
}

TEST(ContainerDocument, ItIsOursAndTheEngineRestartsNothing) {
  auto config = simple();
  config.labels = {{"a", "b"}, {"orchion.cluster", "another"}};
  const auto text = container_document(config, context(Dialect::kDocker)).value();
  for (const char* part :
       {R"("a":"b")", R"("orchion.cluster":"abc")", R"("orchion.id":"uid")", R"("RestartPolicy":{"Name":"no"})",
        R"("max-size":"16777216")", R"("no-new-privileges:true")",
        R"("Entrypoint":["/dev/orchion/gate","run","/dev/orchion/start"])", R"("Cmd":["run"])"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(ContainerDocument, InputIsAFifoOfOursAndATerminalTheEngines) {
  auto config = simple();
  config.stdin_open = true;
  const auto piped = container_document(config, context(Dialect::kDocker)).value();
  EXPECT_THAT(piped, HasSubstr(R"("Entrypoint":["/dev/orchion/gate","input","run","/dev/orchion/start"])"));
  EXPECT_THAT(piped, HasSubstr(R"("OpenStdin":false)"));
  config.tty = true;
  const auto terminal = container_document(config, context(Dialect::kDocker)).value();
  EXPECT_THAT(terminal, HasSubstr(R"("Entrypoint":["/dev/orchion/gate","run","/dev/orchion/start"])"));
  EXPECT_THAT(terminal, HasSubstr(R"("OpenStdin":true)"));
}

TEST(ContainerDocument, WhatAnEngineCantDoIsRefused) {
  struct Case {
    Dialect dialect;
    std::function<void(ContainerConfig&)> change;
    const char* says;
  };
  const Case cases[] = {
      {Dialect::kPodman, [](auto& c) { c.domainname = "x"; }, "domain name"},
      {Dialect::kPodman, [](auto& c) { c.oci_runtime = "crun"; }, "'crun'"},
      {Dialect::kDocker, [](auto& c) { c.oci_runtime = "kata"; }, "'kata'"},
      {Dialect::kPodman, [](auto& c) { c.privileges.device_rules = {"c 1:3 rwm"}; }, "devices"},
      {Dialect::kPodman, [](auto& c) { c.host_namespaces.cgroup = true; }, "cgroup"},
      {Dialect::kPodman, [](auto& c) { c.limits.swap_bytes = -1; }, "swap"},
      {Dialect::kPodman, [](auto& c) { c.mounts = {{.source = "/a:b", .target = "/c"}}; }, "/a:b"},
      {Dialect::kPodman,
       [](auto& c) { c.mounts = {{.type = MountPoint::Type::kTmpfs, .target = "/c", .tmpfs_options = {"uid=5"}}}; },
       "owner of a tmpfs"},
      {Dialect::kDocker, [](auto& c) { c.image.clear(); }, "image"},
      {Dialect::kDocker, [](auto& c) { c.arguments.clear(); }, "command"},
  };
  for (const auto& one : cases) {
    auto config = simple();
    one.change(config);
    const auto refused = container_document(config, context(one.dialect));
    ASSERT_FALSE(refused.has_value()) << one.says;
    EXPECT_THAT(refused.error().message, HasSubstr(one.says));
  }
}

}  // namespace
}  // namespace orchion::node::runtimes::engine
