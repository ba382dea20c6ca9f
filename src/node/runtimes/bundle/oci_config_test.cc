// The pure parts: configuration, capabilities, users, cgroup layouts, failures.

#include "node/runtimes/bundle/oci_config.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/bundle/linux_capabilities.h"

namespace orchion::node::runtimes::bundle {
namespace {

namespace json = boost::json;
using base::Code;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

json::object config_of(const ContainerConfig& config, OciContext context = {.cgroup = "/orchion-x/task"}) {
  if (context.bundle.empty()) context.bundle = "/data/containers/x";
  return json::parse(oci_config_json(config, context)).as_object();
}

std::vector<std::string> targets(const json::object& config) {
  std::vector<std::string> result;
  for (const auto& mount : config.at("mounts").as_array())
    result.emplace_back(mount.as_object().at("destination").as_string());
  return result;
}

std::vector<std::string> environment(const json::object& config) {
  return json::value_to<std::vector<std::string>>(config.at("process").at("env"));
}

TEST(OciConfig, LimitsBecomeResources) {
  ContainerConfig config;
  config.limits = {.nano_cpus = 1'500'000'000, .memory_bytes = 64 << 20, .pids = 12};
  OciContext context{.cgroup = "/orchion-x/task", .limits_swap = true};
  const auto resources = config_of(config, context).at("linux").at("resources");
  EXPECT_EQ(resources.at("cpu").at("quota"), 150'000);
  EXPECT_EQ(resources.at("cpu").at("period"), 100'000);
  EXPECT_EQ(resources.at("memory").at("limit"), 64 << 20);
  EXPECT_EQ(resources.at("memory").at("swap"), 64 << 20);
  EXPECT_EQ(resources.at("pids").at("limit"), 12);
  const auto none = config_of(ContainerConfig{}).at("linux").at("resources").as_object();
  EXPECT_FALSE(none.contains("cpu") || none.contains("memory") || none.contains("pids"));
}

TEST(OciConfig, WithoutGroupsOfItsOwnNothingIsSaidOfThem) {
  const auto config = config_of(ContainerConfig{}, OciContext{});
  EXPECT_FALSE(config.at("linux").as_object().contains("cgroupsPath"));
  EXPECT_FALSE(config.at("linux").as_object().contains("resources"));
  EXPECT_THAT(targets(config), Not(Contains("/sys/fs/cgroup")));
}

TEST(OciConfig, ATinyShareOfAProcessorIsTheKernelsLeast) {
  ContainerConfig config;
  config.limits.nano_cpus = 1;
  EXPECT_EQ(config_of(config).at("linux").at("resources").at("cpu").at("quota"), 1'000);
}

TEST(OciConfig, MountsStandAfterTheirParents) {
  ContainerConfig config;
  config.mounts = {{.source = "/v/inner", .target = "/data/inner"}, {.source = "/v/outer", .target = "/data"}};
  const auto found = targets(config_of(config));
  const auto outer = std::find(found.begin(), found.end(), "/data");
  const auto inner = std::find(found.begin(), found.end(), "/data/inner");
  EXPECT_LT(outer, inner);
  EXPECT_THAT(found, Contains("/etc/resolv.conf"));
}

TEST(OciConfig, AUsersMountReplacesOurs) {
  ContainerConfig config;
  config.mounts = {{.source = "/my/hosts", .target = "/etc/hosts", .read_only = true}};
  const auto built = config_of(config);
  int count = 0;
  for (const auto& mount : built.at("mounts").as_array()) {
    if (mount.at("destination") != "/etc/hosts") continue;
    ++count;
    EXPECT_EQ(mount.at("source"), "/my/hosts");
    EXPECT_THAT(json::serialize(mount.at("options")), HasSubstr("\"ro\""));
  }
  EXPECT_EQ(count, 1);
}

TEST(OciConfig, OnlyRootHasCapabilitiesInEffect) {
  OciContext context;
  context.capabilities = {"CAP_CHOWN"};
  EXPECT_TRUE(config_of({}, context).at("process").at("capabilities").as_object().contains("effective"));
  context.user.uid = 1000;
  const auto process = config_of({}, context).at("process");
  EXPECT_FALSE(process.at("capabilities").as_object().contains("effective"));
  EXPECT_TRUE(process.at("capabilities").as_object().contains("bounding"));
  EXPECT_EQ(process.at("noNewPrivileges"), true);
}

TEST(OciConfig, WhatEveryProgramExpectsIsSetUnlessTheImageDoes) {
  ContainerConfig config;
  config.environment = {"PATH=/only", "X=1"};
  config.hostname = "h";
  OciContext context;
  context.user.home = "/home/user";
  const auto variables = environment(config_of(config, context));
  EXPECT_THAT(variables, testing::ElementsAre("PATH=/only", "X=1", "HOME=/home/user", "HOSTNAME=h"));
}

TEST(OciConfig, TheHostsNetworkHasNoNamespaceEntry) {
  ContainerConfig config;
  EXPECT_THAT(json::serialize(config_of(config).at("linux")), Not(HasSubstr("\"network\"")));
  config.network_namespace = "/run/netns/x";
  const auto own = config_of(config).at("linux");
  EXPECT_THAT(json::serialize(own.at("namespaces")), HasSubstr("/run/netns/x"));
  EXPECT_TRUE(own.as_object().contains("sysctl"));
}

// Some annotations are orders to the runtime binary, which runs as root on the host.
TEST(OciConfig, UsersOfItsOwnGetWhatTheShimHasMadeReady) {
  ContainerConfig config;
  config.network_namespace = "/run/netns/x";
  config.sysctls = {{"net.ipv4.ip_forward", "1"}, {"kernel.sem", "1 2 3 4"}};
  config.mounts = {{.source = "/srv/data", .target = "/a", .read_only = true},
                   {.type = MountPoint::Type::kTmpfs, .target = "/b"}};
  OciContext context;
  context.own_users = {.first = 700'000, .count = 65536, .folder = "/run/x/mounts"};
  context.devices = {{.path = "/dev/mine", .major = 1, .minor = 5}};
  const auto made = config_of(config, context);
  EXPECT_EQ(made.at("root").at("path"), "/run/x/mounts/root");
  const auto& of_kernel = made.at("linux").as_object();
  const auto mapping = json::parse(R"([{"containerID": 0, "hostID": 700000, "size": 65536}])");
  EXPECT_EQ(of_kernel.at("uidMappings"), mapping);
  EXPECT_EQ(of_kernel.at("gidMappings"), mapping);
  EXPECT_FALSE(of_kernel.contains("sysctl"));
  EXPECT_THAT(json::serialize(made.at("hooks").at("createRuntime")),
              HasSubstr(R"("own-sysctls","/data/containers/x")"));
  EXPECT_THAT(own_sysctls(config), testing::ElementsAre(std::pair("kernel.sem", "1 2 3 4")));
  EXPECT_FALSE(of_kernel.contains("devices")) << "only the node's root makes devices";
  EXPECT_THAT(json::serialize(of_kernel.at("namespaces")), HasSubstr(R"({"type":"user"})"));
  std::map<std::string, std::string> sources;
  for (const auto& mount : made.at("mounts").as_array())
    sources[std::string(mount.at("destination").as_string())] = mount.at("source").as_string();
  EXPECT_EQ(sources["/sys"], "/run/x/mounts/sys");
  EXPECT_EQ(sources["/a"], "/run/x/mounts/binds/0");
  EXPECT_EQ(sources["/b"], "tmpfs");
  EXPECT_EQ(sources["/etc/hosts"], "/run/x/mounts/binds/2") << "in the order of targets";
  EXPECT_EQ(sources["/dev/mine"], "/run/x/mounts/devices/0");
  EXPECT_THAT(network_sysctls(config, context),
              testing::UnorderedElementsAre(std::pair("net.ipv4.ip_forward", "1"),
                                            std::pair("net.ipv4.ip_unprivileged_port_start", "0"),
                                            std::pair("net.ipv4.ping_group_range", "700000 765535")));
}

TEST(OciConfig, LabelsNeverBecomeAnnotations) {
  ContainerConfig config;
  config.labels = {{"run.oci.hooks.stdout", "/etc/passwd"}};
  EXPECT_THAT(json::serialize(config_of(config)), Not(HasSubstr("run.oci.hooks")));
}

TEST(OciExec, ChangesWhatWasAskedForAndNothingElse) {
  ContainerConfig config;
  config.arguments = {"serve"};
  config.environment = {"A=1", "B=2"};
  config.working_dir = "/srv";
  OciContext context;
  context.capabilities = {"CAP_CHOWN"};
  const auto text = oci_config_json(config, context);
  auto plain = oci_exec_json(text, {.arguments = {"ls"}, .environment = {"B=3"}}, nullptr);
  ASSERT_TRUE(plain.has_value());
  const auto process = json::parse(*plain);
  EXPECT_EQ(process.at("cwd"), "/srv");
  EXPECT_EQ(json::serialize(process.at("args")), R"(["ls"])");
  EXPECT_THAT(*plain, HasSubstr("\"A=1\""));
  EXPECT_THAT(*plain, HasSubstr("\"B=3\""));
  EXPECT_THAT(*plain, Not(HasSubstr("\"B=2\"")));
  const ContainerUser user{.uid = 5, .gid = 6, .additional_gids = {}, .home = "/h"};
  auto other = oci_exec_json(text, {.arguments = {"ls"}, .working_dir = "/tmp"}, &user);
  ASSERT_TRUE(other.has_value());
  const auto as_user = json::parse(*other);
  EXPECT_EQ(as_user.at("user").at("uid"), 5);
  EXPECT_EQ(as_user.at("cwd"), "/tmp");
  EXPECT_FALSE(as_user.at("capabilities").as_object().contains("effective"));
  EXPECT_EQ(oci_exec_json("{", {}, nullptr).error().code, Code::kDataLoss);
}

TEST(LinuxCapabilities, AreDockersAndWhatIsAskedFor) {
  const auto usual = effective_capabilities({}, {});
  ASSERT_TRUE(usual.has_value());
  EXPECT_EQ(usual->size(), 14u);
  EXPECT_THAT(*usual, Contains("CAP_NET_RAW"));
  EXPECT_THAT(*usual, Not(Contains("CAP_SYS_ADMIN")));
  const auto few = effective_capabilities({"net_admin", "CAP_SYS_TIME"}, {"ALL"});
  EXPECT_EQ(*few, (std::vector<std::string>{"CAP_NET_ADMIN", "CAP_SYS_TIME"}));
  EXPECT_EQ(effective_capabilities({"ALL"}, {"SYS_ADMIN"})->size(), 40u);
  EXPECT_EQ(effective_capabilities({"FLY"}, {}).error().code, Code::kInvalidArgument);
}

TEST(ContainerUser, IsReadAsDockerReadsIt) {
  const std::string passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:w:/var/www:/bin/sh\nbroken\n8080:x:5:5::/n:\n";
  const std::string group = "root:x:0:\nweb:x:34:\naudio:x:29:web,root\nvideo:x:44:other,web\n";
  struct Case {
    const char* user;
    ContainerUser expected;
  };
  const Case cases[] = {
      {"", {0, 0, {29}, "/root"}},
      {"web", {33, 34, {29, 44}, "/var/www"}},
      {"33", {33, 34, {29, 44}, "/var/www"}},
      {"web:audio", {33, 29, {}, "/var/www"}},
      {"web:7", {33, 7, {}, "/var/www"}},
      {"1234", {1234, 0, {}, "/"}},
      {"1234:99", {1234, 99, {}, "/"}},
      {"8080", {5, 5, {}, "/n"}},  // a name that looks like a number is a name
  };
  for (const auto& [user, expected] : cases) {
    const auto found = resolve_user(user, passwd, group);
    ASSERT_TRUE(found.has_value()) << user;
    EXPECT_EQ(*found, expected) << user;
  }
  EXPECT_EQ(resolve_user("nobody", passwd, group).error().code, Code::kInvalidArgument);
  EXPECT_EQ(resolve_user("web:nogroup", passwd, group).error().code, Code::kInvalidArgument);
  EXPECT_EQ(resolve_user("4294967295", "", "").error().code, Code::kInvalidArgument) << "setuid's \"no change\"";
  EXPECT_EQ(resolve_user("-1", "", "").error().code, Code::kInvalidArgument);
}

TEST(Cgroups, LayoutsAreRecognised) {
  const std::string v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
  const auto unified = parse_cgroup_layout(v2);
  ASSERT_TRUE(unified.has_value());
  EXPECT_EQ(unified->mode, CgroupLayout::Mode::kV2);
  EXPECT_EQ(unified->memory_events("/g"), "/sys/fs/cgroup/g/memory.events");

  const std::string v1 =
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory\n"
      "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";
  const auto old = parse_cgroup_layout(v1);
  ASSERT_TRUE(old.has_value());
  EXPECT_EQ(old->mode, CgroupLayout::Mode::kV1);
  EXPECT_EQ(old->hierarchies.size(), 2u);
  EXPECT_EQ(old->memory_events("/g"), "/sys/fs/cgroup/memory/g/memory.oom_control");

  const auto hybrid = parse_cgroup_layout(v1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  ASSERT_TRUE(hybrid.has_value());
  EXPECT_EQ(hybrid->mode, CgroupLayout::Mode::kHybrid);
  EXPECT_EQ(hybrid->unified, "/sys/fs/cgroup/unified");
  EXPECT_EQ(hybrid->memory, "/sys/fs/cgroup/memory");
  EXPECT_EQ(parse_cgroup_layout("1 2 0:3 / / rw - ext4 /dev/x rw\n").error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace orchion::node::runtimes::bundle
