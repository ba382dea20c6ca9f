#include "node/networks/uplink.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/networks/lab_networks.h"
#include "node/networks/namespaces.h"
#include "node/networks/uplink_api.h"

namespace orchion::node::networks {
namespace {

using lab::ask;
using lab::ask_udp;
using testing::HasSubstr;
using testing::StartsWith;

const NetworkConfig kNetwork{.uid = "net", .subnet = "10.201.0.0/24", .gateway = "10.201.0.1"};

// A machine whose containers' networks are apart from its own.
class UplinkTest : public lab::NetworksTest {
 protected:
  UplinkTest() {
    auto opened = open_namespace(place_);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    apart_ = std::make_shared<const base::UniqueFd>(*std::move(opened));
    uplink_ = std::make_shared<Uplink>(clock_, *workers_, place_, machine_.folder());
    const auto started = uplink_->start();
    EXPECT_TRUE(started.has_value()) << started.error().message;
    restart();
  }
  ~UplinkTest() override {
    EXPECT_TRUE(Uplink::end(machine_.folder()).has_value());
    EXPECT_TRUE(remove_namespace(place_).has_value());
  }

  // As after a crash of this process.
  void restart() {
    loop_.on_loop([&] { networks_.reset(); });
    networks_ = std::make_unique<LinuxNetworks>(
        loop_.executor(), *workers_,
        LinuxNetworks::Options{
            .cluster_short_id = id_, .run_folder = machine_.folder(), .apart = apart_, .uplink = uplink_});
  }

  // A task in a network, published as `ports` say, whose server answers on TCP and UDP 80.
  void begin(const std::vector<PublishedPort>& ports) {
    expect_ok(networks_->ensure_network(kNetwork));
    attach(ports);
    tcp_.emplace(task(), "10.201.0.5", 80);
    udp_.emplace(task(), "10.201.0.5", 80, true);
  }
  void attach(const std::vector<PublishedPort>& ports) {
    TaskNetwork task{.task_uid = "task", .owner = "stack/web", .attachments = {{"net", "10.201.0.5"}}, .ports = ports};
    expect_ok(networks_->attach(task));
    expect_ok(networks_->publish("task"));
  }
  lab::Place task() const { return networks_->namespace_path("task"); }

  base::SystemClock clock_;
  const std::filesystem::path place_ = machine_.folder() / "apart";
  std::shared_ptr<const base::UniqueFd> apart_;
  std::shared_ptr<Uplink> uplink_;
  std::optional<lab::Server> tcp_;
  std::optional<lab::Server> udp_;
};

TEST_F(UplinkTest, ContainersReachOutsideAndNotTheMachinesLoopback) {
  begin({});
  const lab::Server outside(machine_.outside(), lab::kOutsideAddress, 90);
  EXPECT_EQ(ask(task(), lab::kOutsideAddress, 90), lab::kHostAddress) << "as a program of the machine's user";
  const lab::Server local({}, "127.0.0.1", 91);
  EXPECT_EQ(ask(task(), "203.0.113.2", 91), "");
}

TEST_F(UplinkTest, PublishesOnEveryAddressAndOnTheLoopback) {
  begin({{.host_port = 8080, .container_port = 80},
         {.host_port = 8080, .container_port = 80, .udp = true},
         {.host_ip = "127.0.0.1", .host_port = 8081, .container_port = 80}});
  EXPECT_NE(ask({}, "127.0.0.1", 8080), "");
  EXPECT_EQ(ask(machine_.outside(), lab::kHostAddress, 8080), lab::kOutsideAddress) << "clients keep their address";
  EXPECT_THAT(ask_udp({}, "127.0.0.1", 8080, "hello"), HasSubstr(" hello"));
  EXPECT_THAT(ask_udp(machine_.outside(), lab::kHostAddress, 8080, "hello"), HasSubstr(" hello"));
  EXPECT_NE(ask({}, "::1", 8080), "");
  EXPECT_NE(ask({}, "127.0.0.1", 8081), "");
  EXPECT_EQ(ask(machine_.outside(), lab::kHostAddress, 8081), "");
  EXPECT_EQ(ask(task(), "203.0.113.127", 8081), "") << "no way for containers to what is the machine's own";
}

TEST_F(UplinkTest, PortsOutliveThisProcessAndAreGivenUp) {
  const std::vector<PublishedPort> ports = {{.host_port = 8080, .container_port = 80},
                                            {.host_ip = "127.0.0.1", .host_port = 8081, .container_port = 80}};
  begin(ports);
  loop_.on_loop([&] { networks_.reset(); });
  EXPECT_NE(ask({}, "127.0.0.1", 8080), "");
  EXPECT_NE(ask({}, "127.0.0.1", 8081), "");
  restart();
  expect_ok(networks_->ensure_network(kNetwork));
  attach(ports);
  EXPECT_NE(ask({}, "127.0.0.1", 8081), "");
  expect_ok(networks_->detach("task"));
  EXPECT_EQ(ask({}, "127.0.0.1", 8080), "");
  EXPECT_TRUE(hold_port({"", 8080, false}).has_value());
  EXPECT_TRUE(hold_port({"127.0.0.1", 8081, false}).has_value());
}

TEST_F(UplinkTest, BeginsAnewWithItsPorts) {
  begin({{.host_port = 8080, .container_port = 80}});
  const pid_t first = std::atoi(base::read_file(machine_.folder() / "uplink.pid")->c_str());
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  pid_t second = first;
  while (second == first && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(uplink_->start().has_value());
    second = std::atoi(base::read_file(machine_.folder() / "uplink.pid")->c_str());
  }
  EXPECT_NE(second, first);
  EXPECT_NE(ask({}, "127.0.0.1", 8080), "");
}

// Whoever finds it dead starts it: from the containers' side too, but never there.
TEST_F(UplinkTest, IsStartedInTheMachinesNetworkWhoeverAsks) {
  const pid_t first = std::atoi(base::read_file(machine_.folder() / "uplink.pid")->c_str());
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  ASSERT_EQ(::waitpid(first, nullptr, 0), first);
  begin({{.host_port = 8080, .container_port = 80}});
  EXPECT_NE(ask({}, "127.0.0.1", 8080), "");
  const lab::Server outside(machine_.outside(), lab::kOutsideAddress, 90);
  EXPECT_EQ(ask(task(), lab::kOutsideAddress, 90), lab::kHostAddress);
}

TEST_F(UplinkTest, RefusesWhatCannotBeHad) {
  const auto taken = hold_port({"", 8080, false});
  const auto busy = uplink_->forward({"", 8080, false});
  ASSERT_FALSE(busy.has_value());
  EXPECT_THAT(busy.error().message, StartsWith("port 8080/tcp is taken on this machine by "));
  const auto elsewhere = uplink_->forward({lab::kHostAddress, 8081, false});
  ASSERT_FALSE(elsewhere.has_value());
  EXPECT_THAT(elsewhere.error().message, HasSubstr("leave 192.0.2.1 out"));
}

TEST(UplinkApi, SaysThatNobodyAnswers) {
  const auto listed = list_forwards("/nowhere/uplink.sock");
  ASSERT_FALSE(listed.has_value());
  EXPECT_THAT(listed.error().message, HasSubstr("/nowhere/uplink.sock"));
}

}  // namespace
}  // namespace orchion::node::networks
