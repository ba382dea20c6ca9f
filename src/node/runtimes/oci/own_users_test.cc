// Containers with users of their own, seen from inside and from outside.

#include <csignal>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "node/runtimes/bundle/user_ranges.h"
#include "node/runtimes/oci/oci_test_fixture.h"

namespace orchion::node::runtimes::oci {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::HasSubstr;
using testing::StartsWith;

class OwnUsersTest : public OciRuntimeTest, public testing::WithParamInterface<const char*> {
 protected:
  OwnUsersTest() : OciRuntimeTest(std::make_unique<OciFactory>(GetParam())) {}

  void SetUp() override { null_before_ = owner("/dev/null"); }
  // crun gives a container's standard streams to its root.
  void TearDown() override { EXPECT_EQ(owner("/dev/null"), null_before_); }

  ContainerConfig own_shell(std::string script) {
    auto config = shell(std::move(script));
    config.own_users = true;
    return config;
  }
  std::uint32_t range(const std::string& id) const { return bundle::range_of(bundle(id)).value_or(0); }

  static std::string owner(const fs::path& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0 ? fmt::format("{} {}", info.st_uid, info.st_gid) : "nothing";
  }
  void expect_said(const std::string& id, const std::string& text) {
    EXPECT_TRUE(eventually([&] { return output(id).find(text) != std::string::npos; })) << output(id);
  }

  fs::path make_folder(const std::string& name) {
    const auto folder = oci_.folder() / name;
    fs::create_directory(folder);
    return folder;
  }

 private:
  std::string null_before_;
};

TEST_P(OwnUsersTest, RootInsideIsNobodyOutside) {
  const auto config =
      own_shell("cat /proc/self/uid_map; id -u; stat -c '%u %g' / /bin/sh /etc; echo ready; sleep 1000");
  const auto begun = start(config);
  expect_said(config.id, "ready");
  const auto first = range(config.id);
  EXPECT_GE(first, 100'000u);
  EXPECT_THAT(read_proc(begun.pid, "status"),
              HasSubstr(fmt::format("Uid:\t{0}\t{0}\t{0}\t{0}\nGid:\t{0}\t{0}\t{0}\t{0}\n", first)));
  std::istringstream said(output(config.id));
  std::uint32_t inside = 1, outside = 0, count = 0;
  said >> inside >> outside >> count;
  EXPECT_EQ(inside, 0u);
  EXPECT_EQ(outside, first);
  EXPECT_EQ(count, 65536u);
  EXPECT_THAT(output(config.id), HasSubstr("\n0\n0 0\n0 0\n0 0\nready\n"));
  EXPECT_THAT(read_proc(begun.pid, "mountinfo"), testing::Not(HasSubstr(oci_.folder().string() + "/layer")));
}

TEST_P(OwnUsersTest, FilesOnDiskBelongToTheRangeAndThoseOfVolumesToTheContainersNumbers) {
  const auto volume = make_folder("volume");
  ASSERT_TRUE(base::write_file(volume / "given", "x", 0600).has_value());
  auto config = own_shell(
      "cat /data/given; echo > /data/mine; touch /data/theirs; chown 1000:1000 /data/theirs; chown 65534 /tmp; "
      "echo > /made; stat -c '%u %g' /data/given /data/mine /data/theirs /tmp /made; echo w >> /etc/hosts && echo ok");
  config.mounts = {{.source = volume, .target = "/data"}};
  EXPECT_EQ(run_script(config), "x0 0\n0 0\n1000 1000\n65534 0\n0 0\nok\n");
  EXPECT_EQ(owner(volume / "mine"), "0 0");
  EXPECT_EQ(owner(volume / "theirs"), "1000 1000");
  const auto first = range(config.id);
  EXPECT_EQ(owner(bundle(config.id) / "upper/made"), fmt::format("{0} {0}", first));
  EXPECT_EQ(owner(bundle(config.id) / "upper/tmp"), fmt::format("{} {}", first + 65534, first));
  EXPECT_EQ(owner(oci_.options().data_folder / "../layer/tmp"), "0 0") << "the layer is everybody's";
}

TEST_P(OwnUsersTest, TwoContainersShareAVolumeAndNoUsers) {
  const auto volume = make_folder("volume");
  auto first = own_shell("echo one > /data/file; sleep 1000"),
       second = own_shell("cat /data/file; stat -c %u /data/file");
  for (auto* config : {&first, &second}) config->mounts = {{.source = volume, .target = "/data"}};
  start(first);
  EXPECT_TRUE(eventually([&] { return base::read_file(volume / "file").value_or("") == "one\n"; }));
  EXPECT_EQ(run_script(second), "one\n0\n");
  EXPECT_NE(range(first.id), range(second.id));
  EXPECT_EQ(range(first.id) % 65536, range(second.id) % 65536);
}

TEST_P(OwnUsersTest, ReadOnlyMountsAndFoldersOfOneFileAreAsAsked) {
  const auto folder = make_folder("folder");
  ASSERT_TRUE(base::write_file(folder / "file", "f\n", 0600).has_value());
  auto config = own_shell(
      "cat /file; echo > /file || echo closed; touch /data/x || echo shut; touch /made || echo root shut; "
      "touch /scratch/x && stat -c '%u %a' /scratch; echo > /dev/shm/x && echo shm");
  config.read_only_root = true;
  config.mounts = {{.source = folder / "file", .target = "/file", .read_only = true},
                   {.source = folder, .target = "/data", .read_only = true, .flags = {"noexec"}},
                   {.type = MountPoint::Type::kTmpfs, .target = "/scratch", .tmpfs_mode = 0750}};
  EXPECT_EQ(run_script(config), "f\nclosed\nshut\nroot shut\n0 750\nshm\n");
}

TEST_P(OwnUsersTest, SecretsBelongToWhomTheyAreFor) {
  auto config = own_shell("cat /run/secrets/key; stat -c '%a %u %g' /run/secrets/key /etc/app.conf; id -u");
  config.user = "1000:1000";
  config.files = {{.target = "/run/secrets/key", .bytes = "hunter2\n", .mode = 0400},
                  {.target = "/etc/app.conf", .bytes = "a=1\n", .uid = 7, .gid = 8}};
  EXPECT_EQ(run_script(config), "hunter2\n400 1000 1000\n444 7 8\n1000\n");
}

TEST_P(OwnUsersTest, DevicesBelongToWhomTheyAreSaidTo) {
  auto config = own_shell("stat -c '%u %g %a' /dev/mine; head -c 3 /dev/mine | wc -c; cat /dev/zilch || echo none");
  config.devices = {
      {.source = "/dev/zero", .target = "/dev/mine", .permissions = "r", .mode = 0440, .uid = 0, .gid = 5}};
  EXPECT_EQ(run_script(config), "0 5 440\n3\nnone\n");
}

TEST_P(OwnUsersTest, TheNetworkIsTheTasksAndAnyoneMayPing) {
  const auto name = "orchion-" + oci_.options().cluster_short_id;
  ASSERT_TRUE(base::run_checked({.arguments = {"ip", "netns", "add", name}}).has_value());
  ASSERT_TRUE(base::run_checked({.arguments = {"ip", "-n", name, "link", "set", "lo", "up"}}).has_value());
  auto config = own_shell(
      "ls /sys/class/net; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ip_default_ttl; "
      "cat /proc/sys/net/ipv4/ping_group_range | tr '\\t' ' '; touch /sys/x || echo sys closed; ls /sys/fs/cgroup | wc "
      "-l; cat /proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/domainname; "
      "sleep 1000");
  config.network_namespace = "/run/netns/" + name;
  config.sysctls = {{"net.ipv4.ip_default_ttl", "33"}, {"kernel.shm_rmid_forced", "1"}};
  config.domainname = "example.com";
  const auto begun = start(config);
  expect_said(config.id, "example.com\n");
  const auto said = output(config.id);
  EXPECT_THAT(said, StartsWith("lo\n0\n33\n0 65535\nsys closed\n"));
  EXPECT_THAT(said, testing::Not(HasSubstr("closed\n0\n"))) << "its control groups are shown";
  EXPECT_THAT(said, testing::EndsWith("\n1\nexample.com\n"));
  // The socket that ping takes where it gets no raw one.
  const auto socket = base::run_checked(
      {.arguments = {"nsenter", "--target", std::to_string(begun.pid), "--user", "--net", "--setuid", "0", "--setgid",
                     "0", "/usr/bin/python3", "-c", "import socket as s; s.socket(s.AF_INET, s.SOCK_DGRAM, 1)"}});
  EXPECT_TRUE(socket.has_value()) << socket.error().message;
  EXPECT_TRUE(base::run_checked({.arguments = {"ip", "netns", "del", name}}).has_value());
}

TEST_P(OwnUsersTest, ExecAndItsUsersAreTheContainers) {
  const auto name = "orchion-" + oci_.options().cluster_short_id;
  ASSERT_TRUE(base::run_checked({.arguments = {"ip", "netns", "add", name}}).has_value());
  auto config = own_shell("sleep 1000");
  config.network_namespace = "/run/netns/" + name;
  start(config);
  EXPECT_EQ(exec(config.id, {.arguments = {"ls", "/sys/class/net"}}).out, "lo\n");
  const auto links = exec(config.id, {.arguments = {"/bin/sh", "-c", "grep -c : /proc/net/dev"}});
  EXPECT_EQ(links.out, "1\n") << "its own loopback";
  EXPECT_EQ(exec(config.id, {.arguments = {"/bin/sh", "-c", "id -u; echo > /made; stat -c %u /made"}}).out, "0\n0\n");
  EXPECT_THAT(exec(config.id, {.arguments = {"id"}, .user = "user"}).out, StartsWith("uid=1000(user) gid=1000(user)"));
  const auto terminal = exec(config.id, {.arguments = {"/bin/sh", "-c", "stat -c %u $(tty); tty"}, .tty = true});
  EXPECT_THAT(terminal.out, StartsWith("0\r\n/dev/pts/"));
  EXPECT_TRUE(base::run_checked({.arguments = {"ip", "netns", "del", name}}).has_value());
}

TEST_P(OwnUsersTest, ATerminalIsItsUsers) {
  auto config = own_shell("stat -c %u $(tty); exit 4");
  config.tty = true;
  config.user = "1000";
  start(config);
  EXPECT_EQ(wait(config.id).code, 4);
  EXPECT_EQ(output(config.id), "1000\r\n");
}

TEST_P(OwnUsersTest, ANewAttemptAndAnotherAgentKeepTheRange) {
  const auto config = own_shell("echo $(stat -c %u /made 2>/dev/null) again; echo > /made; sleep 1000");
  start(config);
  expect_said(config.id, "again");
  const auto first = range(config.id);
  run(runtime().signal(config.id, SIGKILL));
  wait(config.id);
  reopen();
  ASSERT_TRUE(run(runtime().prepare(config)).has_value());
  ASSERT_TRUE(run(runtime().start(config.id, 2)).has_value());
  expect_said(config.id, "0 again");
  EXPECT_EQ(range(config.id), first);
  reopen();
  EXPECT_EQ(exec(config.id, {.arguments = {"id", "-u"}}).out, "0\n") << "adopted";
  const auto other = own_shell("true");
  EXPECT_EQ(run_script(other), "");
  EXPECT_NE(range(other.id), first) << "what another agent's container has is not given away";
}

TEST_P(OwnUsersTest, ARangeIsFreeAgainAndNothingIsLeft) {
  const auto config = own_shell("true");
  run_script(config);
  const auto first = range(config.id);
  ASSERT_TRUE(run(runtime().remove(config.id, /*keep_logs=*/false)).has_value());
  EXPECT_THAT(traces(), testing::IsEmpty());
  const auto next = own_shell("true");
  run_script(next);
  EXPECT_EQ(range(next.id), first);
}

TEST_P(OwnUsersTest, WhatCannotGoTogetherIsRefusedAndLeavesNothing) {
  const auto refusal = [&](const ContainerConfig& config) {
    const auto prepared = run(runtime().prepare(config));
    EXPECT_FALSE(prepared.has_value());
    EXPECT_FALSE(fs::exists(bundle(config.id))) << "nothing half-made";
    return prepared ? std::string() : prepared.error().message;
  };
  auto trusted = own_shell("true"), processes = own_shell("true"), above = own_shell("true"), proc = own_shell("true");
  trusted.privileges.everything = true;
  EXPECT_THAT(refusal(trusted), HasSubstr("since its root is nobody there"));
  processes.host_namespaces.pid = true;
  EXPECT_THAT(refusal(processes), HasSubstr("can't have the node's processes"));
  above.user = "65536";
  EXPECT_THAT(refusal(above), HasSubstr("its user is 65536, but a container with users of its own has 0 to 65535"));
  proc.mounts = {{.source = "/proc/sys", .target = "/data"}};
  EXPECT_THAT(refusal(proc), HasSubstr("the file system of /proc/sys can't map users"));
}

TEST_P(OwnUsersTest, AnInitAndAnInputWorkAsWell) {
  auto config = own_shell("head -c 22 /proc/1/cmdline | tr '\\0' ' '; echo; cat; exit 6");
  config.init = true;
  start(config);
  EXPECT_EQ(wait(config.id).code, 6);
  EXPECT_EQ(output(config.id), "/dev/orchion-init init\n");
}

INSTANTIATE_TEST_SUITE_P(Oci, OwnUsersTest, testing::Values("crun", "runc"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace orchion::node::runtimes::oci
