#include "cli/host_checks.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"

namespace orchion::cli {
namespace {

using testing::HasSubstr;

class HostChecks : public testing::Test {
 protected:
  HostChecks() {
    auto random = base::Random::from_system();
    host_.proc = std::filesystem::temp_directory_path() / ("host-checks-" + random.text(8));
    host_.cgroups = host_.proc / "cgroup";
  }
  ~HostChecks() override { std::filesystem::remove_all(host_.proc); }

  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((host_.proc / name).parent_path());
    std::ofstream(host_.proc / name) << text;
  }

  Host host_;
};

TEST_F(HostChecks, Cgroups) {
  EXPECT_EQ(check_cgroups(host_).good, false);
  write("cgroup/memory/tasks", "");
  EXPECT_EQ(check_cgroups(host_), (Finding{true, "cgroup v1"}));
  write("cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
  EXPECT_EQ(check_cgroups(host_), (Finding{true, "cgroup v2: cpuset cpu io memory pids"}));
  write("cgroup/cgroup.controllers", "cpuset memory pids\n");
  EXPECT_THAT(check_cgroups(host_).text, HasSubstr("lacks the controller cpu"));
}

TEST_F(HostChecks, OverlayAndForwarding) {
  EXPECT_FALSE(check_overlay(host_).good);
  write("filesystems", "nodev\tproc\n\text4\nnodev\toverlay\n");
  EXPECT_TRUE(check_overlay(host_).good);
  EXPECT_THAT(check_forwarding(host_).text, HasSubstr("sysctl net.ipv4.ip_forward=1"));
  write("sys/net/ipv4/ip_forward", "0\n");
  EXPECT_EQ(check_forwarding(host_), (Finding{true, "ip_forward is off: the first network switches it on"}));
  write("sys/net/ipv4/ip_forward", "1\n");
  EXPECT_EQ(check_forwarding(host_), (Finding{true, "ip_forward is on"}));
}

TEST_F(HostChecks, ClockDiskAndTokens) {
  EXPECT_TRUE(check_clock(1000, 900).good);
  EXPECT_FALSE(check_clock(0, 900).good);
  EXPECT_TRUE(check_disk("/", 5ull << 30, 50ull << 30).good);
  EXPECT_THAT(check_disk("/", 5 << 20, 50ull << 30).text, HasSubstr("`orchion image prune`"));
  EXPECT_FALSE(check_token_file(host_.proc / "none"));
  write("token", "x");
  std::filesystem::permissions(host_.proc / "token", std::filesystem::perms(0640));
  EXPECT_FALSE(check_token_file(host_.proc / "token")->good);
  std::filesystem::permissions(host_.proc / "token", std::filesystem::perms(0600));
  EXPECT_TRUE(check_token_file(host_.proc / "token")->good);
}

TEST_F(HostChecks, APortNamesWhoHasIt) {
  base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(socket.get(), 1), 0);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto port = ntohs(address.sin_port);
  const auto taken = check_port(Host{}, port);
  EXPECT_FALSE(taken.good);
  EXPECT_THAT(taken.text, HasSubstr(fmt::format("port {} is taken by cli_test (pid {})", port, ::getpid())));
  EXPECT_EQ(check_port(host_, port), (Finding{true, fmt::format("port {} is free", port)}));
}

TEST_F(HostChecks, ThePortOfOurOwnServerIsWell) {
  write("net/tcp6",
        "  sl  local_address\n"
        "   0: 00000000000000000000000000000000:11F8 0:0000 0A 0:0 00:00 0 0 0 4711 1\n");
  EXPECT_THAT(check_port(host_, 4600).text, HasSubstr("taken by another user's process"));
  write("77/comm", "orchion\n");
  std::filesystem::create_directories(host_.proc / "77/fd");
  std::filesystem::create_symlink("socket:[4711]", host_.proc / "77/fd/3");
  EXPECT_EQ(check_port(host_, 4600), (Finding{true, "port 4600 is of orchion (pid 77)"}));
}

}  // namespace
}  // namespace orchion::cli
