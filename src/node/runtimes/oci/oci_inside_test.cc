// What is inside a real container.

#include <chrono>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "node/runtimes/oci/oci_test_fixture.h"

namespace orchion::node::runtimes::oci {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::HasSubstr;

TEST_F(OciRuntimeTest, TheProcessIsConfined) {
  const auto script =
      "grep -E 'NoNewPrivs|Seccomp:|CapEff|CapBnd' /proc/self/status; "
      "cat /proc/kcore | wc -c; echo 1 > /proc/sys/kernel/hostname || echo read-only; "
      "unshare -m true || echo no unshare; echo $$";
  const auto config = shell(script);
  const auto said = run_script(config);
  EXPECT_THAT(said, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(said, HasSubstr("Seccomp:\t2\n"));
  EXPECT_THAT(said, HasSubstr("CapEff:\t00000000a80425fb\n")) << "Docker's set";
  EXPECT_THAT(said, HasSubstr("CapBnd:\t00000000a80425fb\n"));
  EXPECT_THAT(said, HasSubstr("\n0\n")) << "kcore is masked";
  EXPECT_THAT(said, HasSubstr("read-only"));
  EXPECT_THAT(said, HasSubstr("no unshare"));
  EXPECT_THAT(said, testing::EndsWith("\n1\n")) << "its own pid namespace";

  const auto host = shell("sleep 1000");
  start(host);
  const auto exec_said =
      exec(host.id, {.arguments = {"grep", "-E", "NoNewPrivs|Seccomp:|CapEff", "/proc/self/status"}});
  EXPECT_THAT(exec_said.out, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(exec_said.out, HasSubstr("Seccomp:\t2\n")) << "an exec is confined as well";
  EXPECT_THAT(exec_said.out, HasSubstr("CapEff:\t00000000a80425fb\n"));
}

TEST_F(OciRuntimeTest, TheNetworksFilesAreTheContainersOwn) {
  auto config =
      shell("hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf; echo more >> /etc/hosts && echo written");
  config.hostname = "web-1";
  config.nameservers = {"10.1.2.3"};
  config.search_domains = {"stack.orchion.internal"};
  config.hosts = {{"host.docker.internal", "10.1.0.1"}};
  const auto said = run_script(config);
  EXPECT_THAT(said, testing::StartsWith("web-1\nweb-1\n"));
  EXPECT_THAT(said, HasSubstr("10.1.0.1\thost.docker.internal\n"));
  EXPECT_THAT(said, HasSubstr("nameserver 10.1.2.3\nsearch stack.orchion.internal\n"));
  EXPECT_THAT(said, HasSubstr("written"));
}

TEST_F(OciRuntimeTest, UsersAreLookedUpInTheImage) {
  auto config = shell("id; echo $HOME");
  config.user = "user";
  EXPECT_EQ(run_script(config), "uid=1000(user) gid=1000(user) groups=29(audio),44(video),1000(user)\n/home/user\n");
  auto unknown = shell("id");
  unknown.user = "nobody-here";
  EXPECT_EQ(run(runtime().prepare(unknown)).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(fs::exists(bundle(unknown.id))) << "nothing half-made";
}

TEST_F(OciRuntimeTest, AnOrdinaryUserCanWalkTheRoot) {
  auto config = shell("ls / > /dev/null && touch /tmp/x && echo fine");
  config.user = "user";
  EXPECT_EQ(run_script(config), "fine\n");
}

TEST_F(OciRuntimeTest, MountsShowWhatTheNodeHas) {
  const auto shared = oci_.folder() / "shared";
  fs::create_directory(shared);
  ASSERT_TRUE(base::write_file(shared / "file", "from the host\n").has_value());
  auto config = shell("cat /data/file; touch /data/x || echo data read-only; echo new > /made/here/file");
  fs::create_directory(oci_.folder() / "made");
  config.read_only_root = true;
  config.mounts = {{.source = shared, .target = "/data", .read_only = true},
                   {.source = oci_.folder() / "made", .target = "/made/here"}};
  EXPECT_EQ(run_script(config), "from the host\ndata read-only\n");
  EXPECT_EQ(base::read_file(oci_.folder() / "made/file").value_or(""), "new\n");
}

TEST_F(OciRuntimeTest, TheWorkingFolderIsMadeWhereTheImageHasNone) {
  auto config = shell("pwd");
  config.working_dir = "/srv/app";
  EXPECT_EQ(run_script(config), "/srv/app\n");
}

TEST_F(OciRuntimeTest, TheNetworkNamespaceIsJoinedByPath) {
  const auto name = "orchion-" + oci_.options().cluster_short_id;
  ASSERT_TRUE(base::run_checked({.arguments = {"ip", "netns", "add", name}}).has_value());
  auto config = shell("ls /sys/class/net; cat /proc/sys/net/ipv4/ip_unprivileged_port_start");
  config.network_namespace = "/run/netns/" + name;
  EXPECT_EQ(run_script(config), "lo\n0\n");
  EXPECT_TRUE(base::run_checked({.arguments = {"ip", "netns", "del", name}}).has_value());
}

TEST_F(OciRuntimeTest, ManyLayersWithLongNamesMount) {
  auto config = shell("cat /top /bottom; ls / | grep -c layer; test -e /etc/group || echo whited out");
  const auto folder = oci_.folder() / std::string(200, 'n');
  for (int i = 0; i < 120; ++i) {
    const auto layer = folder / ("layer" + std::to_string(i));
    fs::create_directories(layer);
    std::ofstream(layer / ("layer" + std::to_string(i)));
    std::ofstream(layer / "top") << "layer " << i << "\n";
    if (i == 0) std::ofstream(layer / "bottom") << "lowest\n";
    config.layers.push_back(layer);
  }
  fs::create_directories(config.layers.back() / "etc");
  ASSERT_EQ(::mknod((config.layers.back() / "etc/group").c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  EXPECT_EQ(run_script(config), "layer 119\nlowest\n120\nwhited out\n");
}

TEST_F(OciRuntimeTest, TheProcessAndItsGroups) {
  auto config = shell("cat /proc/self/oom_score_adj; id -G; grep NoNewPrivs /proc/self/status");
  config.ulimits = {{"core", -1, -1}};
  config.oom_score_adj = 321;
  config.additional_groups = {"audio", "4242"};
  config.privileges.may_gain = true;
  const auto said = run_script(config);
  EXPECT_THAT(said, testing::StartsWith("321\n"));
  EXPECT_THAT(said, HasSubstr("29"));
  EXPECT_THAT(said, HasSubstr("4242"));
  EXPECT_THAT(said, HasSubstr("NoNewPrivs:\t0\n"));
}

TEST_F(OciRuntimeTest, NamespacesAndWhatTheyHold) {
  const auto name = "orchion-" + oci_.options().cluster_short_id;
  ASSERT_TRUE(base::run_checked({.arguments = {"ip", "netns", "add", name}}).has_value());
  auto config = shell(
      "cat /proc/sys/kernel/domainname; readlink /proc/self/ns/uts /proc/self/ns/ipc; cat /etc/hosts; "
      "cat /etc/resolv.conf; grep ' /scratch ' /proc/mounts");
  config.network_namespace = "/run/netns/" + name;
  config.domainname = "example.com";
  config.nameservers = {"10.0.0.1", "1.1.1.1"};
  config.dns_options = {"ndots:1"};
  config.extra_hosts = {{"db", "10.0.0.7"}, {"db", "10.0.0.8"}};
  config.mounts = {{.type = MountPoint::Type::kTmpfs,
                    .target = "/scratch",
                    .tmpfs_mode = 0700,
                    .tmpfs_options = {"noexec", "uid=1000"}}};
  const auto said = run_script(config);
  EXPECT_THAT(said, testing::StartsWith("example.com\n"));
  EXPECT_THAT(said, HasSubstr("10.0.0.7\tdb\n10.0.0.8\tdb\n"));
  EXPECT_THAT(said, HasSubstr("nameserver 10.0.0.1\nnameserver 1.1.1.1\noptions ndots:1\n"));
  EXPECT_THAT(said, HasSubstr("noexec"));
  EXPECT_THAT(said, HasSubstr("mode=700,uid=1000"));
  EXPECT_TRUE(base::run_checked({.arguments = {"ip", "netns", "del", name}}).has_value());
}

TEST_F(OciRuntimeTest, TheHostsNamespacesWhereAsked) {
  auto config = shell("readlink /proc/self/ns/uts; readlink /proc/self/ns/ipc; readlink /proc/self/ns/pid");
  config.host_namespaces = {.ipc = true, .pid = true, .uts = true, .cgroup = true};
  config.hostname = "passed-over";
  std::string own;
  for (const char* kind : {"uts", "ipc", "pid"})
    own += fs::read_symlink(std::string("/proc/self/ns/") + kind).string() + "\n";
  EXPECT_EQ(run_script(config), own);
  run(runtime().remove(config.id, false));
  EXPECT_THAT(traces(), testing::IsEmpty());
}

TEST_F(OciRuntimeTest, DevicesAreTheOnesAskedFor) {
  auto config = shell(
      "dd if=/dev/zilch bs=1 count=3 2>/dev/null | wc -c; test -c /dev/sub/zero && echo folder; "
      "mknod /tmp/kmsg c 1 11; cat /tmp/kmsg > /dev/null || echo no others");
  const auto folder = oci_.folder() / "devices";
  fs::create_directories(folder);
  ASSERT_EQ(::mknod((folder / "zero").c_str(), S_IFCHR | 0666, ::makedev(1, 5)), 0);
  config.devices = {{"/dev/zero", "/dev/zilch", "r"}, {folder, "/dev/sub", "rwm"}};
  EXPECT_EQ(run_script(config), "3\nfolder\nno others\n");
  auto none = shell("true");
  none.devices = {{"/dev/not-there", "/dev/x", "r"}};
  const auto refused = run(runtime().prepare(none));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("/dev/not-there is no device of this node"));
}

TEST_F(OciRuntimeTest, PrivilegedContainersHaveItAll) {
  auto config = shell(
      "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status; grep CapBnd /proc/1/status; "
      "test -c /dev/kmsg && echo kmsg; mount -t tmpfs x /mnt && echo mounted");
  config.privileges.everything = true;
  fs::create_directories(config.layers.back() / "mnt");
  const auto said = run_script(config);
  EXPECT_THAT(said, HasSubstr("NoNewPrivs:\t0\n"));
  EXPECT_THAT(said, HasSubstr("Seccomp:\t0\n"));
  EXPECT_THAT(said, HasSubstr("mounted"));
}

TEST_F(OciRuntimeTest, FilesLieInMemoryAndGoWithTheContainer) {
  auto config = shell(
      "cat /run/secrets/key; stat -c '%a %u %g' /run/secrets/key /etc/app.conf; "
      "echo x > /run/secrets/key || echo closed; grep -c tmpfs.*/run/secrets/key /proc/mounts");
  config.files = {{.target = "/run/secrets/key", .bytes = "hunter2\n", .mode = 0440, .uid = 7, .gid = 8},
                  {.target = "/etc/app.conf", .bytes = "a=1\n"}};
  EXPECT_EQ(run_script(config), "hunter2\n440 7 8\n444 0 0\nclosed\n1\n");
  const auto found = base::run_process({.arguments = {"grep", "-rl", "hunter2", bundle(config.id).string()}});
  EXPECT_EQ(found->standard_output, "") << "on no disk";
  run(runtime().remove(config.id, false));
  EXPECT_THAT(traces(), testing::IsEmpty());
}

TEST_F(OciRuntimeTest, AnInitReapsAndPassesSignalsOn) {
  auto config = shell(
      "head -c 22 /proc/1/cmdline | tr '\\0' ' '; echo; (sleep 0.1 &) ; sleep 0.4; ps -o stat | grep -c Z; "
      "trap 'echo heard; exit 5' TERM; echo ready; while :; do sleep 0.1; done");
  config.init = true;
  start(config);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (output(config.id).find("ready") == std::string::npos && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  run(runtime().signal(config.id, SIGTERM));
  EXPECT_EQ(wait(config.id).code, 5);
  const auto said = output(config.id);
  EXPECT_THAT(said, testing::StartsWith("/dev/orchion-init init"));
  EXPECT_THAT(said, HasSubstr("\n0\nready\nheard\n"));
}

}  // namespace
}  // namespace orchion::node::runtimes::oci
