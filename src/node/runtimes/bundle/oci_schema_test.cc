// config.json as the runtime specification's own schema wants it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "node/runtimes/bundle/linux_capabilities.h"
#include "node/runtimes/bundle/oci_config.h"
#include "node/runtimes/bundle/seccomp.h"
#include "node/runtimes/conformance/busybox_root.h"

namespace orchion::node::runtimes::bundle {
namespace {

// A container with everything that one can have.
ContainerConfig full_config() {
  ContainerConfig config;
  config.id = "full";
  config.arguments = {"/bin/sh", "-c", "true"};
  config.environment = {"A=b"};
  config.working_dir = "/srv";
  config.hostname = "web-1";
  config.domainname = "example.com";
  config.annotations = {{"com.example.owner", "me"}, {"run.oci.handler", "wasm"}};
  config.mounts = {{.source = "/v", .target = "/data", .read_only = true, .flags = {"nosuid", "nodev", "noexec"}},
                   {.source = "/w", .target = "/shared", .propagation = "rshared", .recursive = false},
                   {.type = MountPoint::Type::kTmpfs,
                    .target = "/scratch",
                    .tmpfs_bytes = 1 << 20,
                    .tmpfs_mode = 0700,
                    .tmpfs_options = {"noexec", "uid=1"}}};
  config.limits = {.nano_cpus = 1'500'000'000,
                   .memory_bytes = 1 << 30,
                   .pids = 100,
                   .swap_bytes = -1,
                   .cpu_shares = 512,
                   .cpuset = "0-1",
                   .block_io = {.weight = 300}};
  config.read_only_root = true;
  config.network_namespace = "/run/netns/x";
  config.devices = {{.source = "/dev/zero", .target = "/dev/zilch", .mode = 0600, .uid = 1, .gid = 2}};
  config.hooks = {
      {.stage = "createRuntime", .path = "/bin/h", .arguments = {"h"}, .environment = {"A=b"}, .timeout_s = 5},
      {.stage = "prestart", .path = "/bin/h"},
      {.stage = "createContainer", .path = "/bin/h"},
      {.stage = "startContainer", .path = "/bin/h"},
      {.stage = "poststart", .path = "/bin/h"},
      {.stage = "poststop", .path = "/bin/h"}};
  config.ulimits = {{"nofile", 10, 20}, {"core", -1, -1}};
  config.sysctls = {{"net.core.somaxconn", "77"}};
  config.files = {{.target = "/run/secrets/key", .bytes = "x"}};
  config.privileges = {.may_gain = true, .device_rules = {"c 10:229 rwm", "b *:* r", "a *:* m"}};
  config.init = true;
  config.shm_bytes = 8 << 20;
  config.oom_score_adj = 300;
  return config;
}

OciContext full_context() {
  OciContext context;
  context.user = {.uid = 1000, .gid = 1000, .additional_gids = {29, 44}, .home = "/home/user"};
  context.capabilities = effective_capabilities({"NET_ADMIN"}, {}).value();
  context.cgroup = "/orchion-x/full";
  context.bundle = "/data/containers/full";
  context.limits_swap = true;
  context.devices = find_devices(full_config().devices).value();
  context.weights = {{8, 0, 300}};
  context.read_bytes = context.read_operations = context.write_bytes = context.write_operations = {{8, 0, 1 << 20}};
  context.files = "/run/files";
  context.init = "/data/shim/orchion-shim";
  return context;
}

class OciSchema : public testing::Test {
 protected:
  void add(const ContainerConfig& config, const OciContext& context) {
    const auto path = folder_.path() / (std::to_string(arguments_.size()) + ".json");
    ASSERT_TRUE(base::write_file(path, oci_config_json(config, context)).has_value());
    arguments_.push_back(path.string());
  }
  // What the schema has to say of all of them.
  std::string complaints() {
    const auto done = base::run_process({.arguments = arguments_});
    EXPECT_TRUE(done.has_value());
    return done ? done->standard_output + done->standard_error : "no check";
  }

  TestFolder folder_;
  std::vector<std::string> arguments_ = {"/usr/bin/python3", ORCHION_CHECK_CONFIG};
};

TEST_F(OciSchema, EveryConfigurationKeepsToIt) {
  SeccompProfiles profiles(SeccompProfiles::load_default_profile().value(), folder_.path() / "seccomp");
  auto for_runc = full_context(), for_crun = full_context(), for_containerd = full_context();
  for_runc.seccomp_json = profiles.json(for_runc.capabilities).value();
  for_crun.seccomp_bpf_base64 = profiles.bpf_base64(for_crun.capabilities).value();
  for_containerd.seccomp_json = for_runc.seccomp_json;
  for_containerd.holds_input = true;
  for (const auto& context : {for_runc, for_crun, for_containerd}) add(full_config(), context);

  auto privileged = full_config();
  privileged.privileges.everything = true;
  auto context = full_context();
  context.capabilities = available_capabilities();
  context.devices = all_devices();
  add(privileged, context);

  auto terminal = full_config();
  terminal.tty = true;
  terminal.host_namespaces = {.ipc = true, .pid = true, .uts = true, .cgroup = true};
  add(terminal, full_context());

  context = full_context();
  context.own_users = {.first = 0x70000000, .count = 65536, .folder = "/run/orchion-x/mounts"};
  add(full_config(), context);

  ContainerConfig least;
  least.arguments = {"/bin/true"};
  context = {};
  context.bundle = "/data/containers/least";
  context.cgroup = "/orchion-x/least";
  add(least, context);
  EXPECT_EQ(complaints(), "");
}

// The check itself finds something.
TEST_F(OciSchema, WhatDoesNotKeepToItIsFound) {
  auto config = full_config();
  config.hooks = {{.stage = "createRuntime", .path = "relative", .timeout_s = 1}};
  config.ulimits = {{"no such", 1, 1}};
  add(config, full_context());
  EXPECT_THAT(complaints(), testing::HasSubstr("rlimits"));
}

TEST(Annotations, AreSeenUnlessTheyAreOrders) {
  const auto text = oci_config_json(full_config(), full_context());
  EXPECT_THAT(text, testing::HasSubstr(R"("com.example.owner":"me")"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("run.oci.handler")));
  for (const char* name : {"run.oci.hooks.stdout", "org.systemd.property.CPUQuota", "dev.gvisor.flag.x"})
    EXPECT_TRUE(is_order(name)) << name;
  EXPECT_FALSE(is_order("com.example.run.oci.x"));
}

}  // namespace
}  // namespace orchion::node::runtimes::bundle
