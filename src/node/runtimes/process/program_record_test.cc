#include "node/runtimes/process/program_record.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::process {
namespace {

namespace program = shim::program;
using testing::ElementsAre;
using testing::HasSubstr;

ContainerConfig valid() {
  ContainerConfig config;
  config.id = "a";
  config.arguments = {"true"};
  config.hostname = "given-to-all";
  config.nameservers = {"10.0.0.1"};
  config.hosts = {{"given-to-all", "10.0.0.2"}};
  return config;
}

TEST(ProgramRecord, WhatAProgramCantHaveIsRefusedByName) {
  EXPECT_TRUE(check_program(valid()).has_value());
  struct Case {
    const char* named;
    std::function<void(ContainerConfig&)> change;
  };
  const Case cases[] = {
      {"an image", [](auto& c) { c.layers = {"/layer"}; }},
      {"an image", [](auto& c) { c.image = "sha256:1"; }},
      {"networks", [](auto& c) { c.network_namespace = "/run/netns/a"; }},
      {"mounts", [](auto& c) { c.mounts = {{.source = "/a", .target = "/b"}}; }},
      {"secrets", [](auto& c) { c.files = {{.target = "/a", .bytes = "b"}}; }},
      {"read_only", [](auto& c) { c.read_only_root = true; }},
      {"cap_add", [](auto& c) { c.cap_add = {"NET_ADMIN"}; }},
      {"privileged", [](auto& c) { c.privileges.everything = true; }},
      {"device_cgroup_rules", [](auto& c) { c.privileges.device_rules = {"c 1:1 r"}; }},
      {"devices", [](auto& c) { c.devices = {{.source = "/dev/null", .target = "/dev/null"}}; }},
      {"sysctls", [](auto& c) { c.sysctls = {{"net.ipv4.ip_forward", "1"}}; }},
      {"shm_size", [](auto& c) { c.shm_bytes = 1; }},
      {"extra_hosts", [](auto& c) { c.extra_hosts = {{"a", "10.0.0.1"}}; }},
      {"dns_opt", [](auto& c) { c.dns_options = {"ndots:1"}; }},
      {"domainname", [](auto& c) { c.domainname = "example.org"; }},
      {"runtime", [](auto& c) { c.oci_runtime = "runc"; }},
      {"blkio_config", [](auto& c) { c.limits.block_io.weight = 10; }},
      {"command", [](auto& c) { c.arguments.clear(); }},
      {"working directory", [](auto& c) { c.working_dir = "here"; }},
      {"ulimit", [](auto& c) { c.ulimits = {{.name = "nosuch"}}; }},
  };
  for (const auto& [named, change] : cases) {
    auto config = valid();
    change(config);
    const auto checked = check_program(config);
    ASSERT_FALSE(checked.has_value()) << named;
    EXPECT_EQ(checked.error().code, base::Code::kInvalidArgument) << named;
    EXPECT_THAT(checked.error().message, HasSubstr(named));
  }
}

TEST(ProgramRecord, TheEnvironmentIsWhatIsGivenAndAPath) {
  EXPECT_THAT(program_environment({"A=1"}, false), ElementsAre("A=1", HasSubstr("PATH=/usr/local/sbin:")));
  EXPECT_THAT(program_environment({"PATH=/opt"}, true), ElementsAre("PATH=/opt", "TERM=xterm"));
}

TEST(ProgramRecord, AnExecHasTheProgramsUserAndGroupsUnlessItNamesAnother) {
  auto config = valid();
  config.working_dir = "/srv";
  config.ulimits = {{.name = "nofile", .soft = 10, .hard = -1}};
  config.cap_drop = {"ALL"};
  const auto record = program_record(config, {.uid = 5, .gid = 6, .additional_gids = {7, 8}},
                                     {.parents = {"/p"}, .groups = {"/p/a"}, .writes = {"/p/a/f 1"}});
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(shim::find_text(*record, program::kLimit),
            std::to_string(RLIMIT_NOFILE) + " 10 " + std::to_string(RLIM_INFINITY));
  EXPECT_EQ(shim::find_number(*record, program::kCapabilities, -1), 0);
  EXPECT_EQ(shim::find_text(*record, program::kWriteGroup), "/p/a/f 1");

  const auto same = exec_record(*record, {.columns = 33, .rows = 22}, std::nullopt);
  ASSERT_TRUE(same.has_value());
  EXPECT_EQ(shim::find_number(*same, program::kUid, 0), 5);
  EXPECT_EQ(shim::find_number(*same, program::kGroup, 0), 7);
  EXPECT_EQ(shim::find_text(*same, program::kWorkingDir), "/srv");
  EXPECT_EQ(shim::find_text(*same, program::kEnter), "/p/a");
  EXPECT_EQ(shim::find_text(*same, program::kMakeGroup), "") << "it only enters";
  EXPECT_EQ(shim::find_number(*same, program::kCapabilities, -1), 0);
  EXPECT_EQ(shim::find_number(*same, program::kColumns, 0), 33);

  const auto other =
      exec_record(*record, {.working_dir = "/tmp"}, bundle::ContainerUser{.uid = 9, .gid = 10, .additional_gids = {}});
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(shim::find_number(*other, program::kUid, 0), 9);
  EXPECT_EQ(shim::find_number(*other, program::kGroup, 0), 0);
  EXPECT_EQ(shim::find_text(*other, program::kWorkingDir), "/tmp");
}

TEST(ProgramRecord, StringsKeepLinesAndEmptyOnes) {
  const std::vector<std::string> strings{"a\nb", "", "c"};
  const auto joined = join_strings(strings);
  ASSERT_TRUE(joined.has_value());
  EXPECT_EQ(split_strings(*joined), strings);
  EXPECT_EQ(join_strings({std::string("a\0b", 3)}).error().code, base::Code::kInvalidArgument);
}

}  // namespace
}  // namespace orchion::node::runtimes::process
