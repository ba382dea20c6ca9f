// Two machines on the real kernel, joined by WireGuard: wireguard-go's, or the kernel's where ORCHION_TEST_WIREGUARD is
// "kernel", as in the virtual machine, whose kernel has it.

#include "node/networks/tunnels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "node/networks/lab_networks.h"
#include "node/networks/links.h"

namespace orchion::node::networks {
namespace {

using lab::ask;
using lab::kHostAddress;
using lab::kOutsideAddress;
using lab::Server;

constexpr char kHere[] = "10.255.128.1";
constexpr char kThere[] = "10.255.128.2";
constexpr std::uint16_t kPort = 4604;

Ipv4 ip(const char* text) {
  return parse_ipv4(text).value();
}

class TunnelsTest : public lab::NetworksTest {
 protected:
  TunnelsTest() {
    here_ = open("here");
    lab::in_place(machine_.outside(), [&] { there_ = open("there"); });
  }
  ~TunnelsTest() override {
    EXPECT_TRUE(here_->remove());
    lab::in_place(machine_.outside(), [&] { EXPECT_TRUE(there_->remove()); });
  }

  std::unique_ptr<WireguardEngine> engine(const std::string& side) const {
    const char* wanted = std::getenv("ORCHION_TEST_WIREGUARD");
    if (wanted != nullptr && std::string(wanted) == "kernel") return make_kernel_wireguard();
    return make_wireguard_go(machine_.folder() / side);
  }

  std::shared_ptr<Tunnels> open(const std::string& side) const {
    auto opened = Tunnels::open({id_ + side, machine_.folder() / side, kPort}, engine(side));
    EXPECT_TRUE(opened) << opened.error().message;
    return *opened;
  }

  static TunnelPeer peer(const Tunnels& tunnels, const char* within, const char* machine) {
    return {ip(within), parse_wireguard_key(tunnels.public_key()).value(), {ip(machine), kPort}};
  }

  void lead_here(std::vector<TunnelPeer> peers) {
    const auto led = here_->lead(ip(kHere), ip(kHostAddress), std::move(peers));
    ASSERT_TRUE(led) << led.error().message;
  }
  void lead_there(std::vector<TunnelPeer> peers) {
    lab::in_place(machine_.outside(), [&] {
      const auto led = there_->lead(ip(kThere), ip(kOutsideAddress), std::move(peers));
      ASSERT_TRUE(led) << led.error().message;
    });
  }
  void lead_both() {
    lead_here({peer(*there_, kThere, kOutsideAddress)});
    lead_there({peer(*here_, kHere, kHostAddress)});
  }

  // The first packet waits for the handshake, which half a second may be too short for.
  static bool reaches(const char* to, const char* as) {
    for (int i = 0; i < 20; ++i)
      if (ask({}, to, 80) == as) return true;
    return false;
  }

  std::shared_ptr<Tunnels> here_;
  std::shared_ptr<Tunnels> there_;
  const std::string link_ = Names(id_ + "here").tunnel();
};

TEST_F(TunnelsTest, MachinesReachEachOtherThroughThem) {
  lead_both();
  const Server server(machine_.outside(), kThere, 80);
  EXPECT_TRUE(reaches(kThere, kHere));
  auto socket = NetlinkSocket::open().value();
  EXPECT_EQ(find_link(socket, link_).value().mtu, find_link(socket, "up0").value().mtu - kWireguardBytes);
}

TEST_F(TunnelsTest, AStrangerIsNotHeard) {
  lead_both();
  lead_there({});
  const Server server(machine_.outside(), kThere, 80);
  EXPECT_EQ(ask({}, kThere, 80), "");
}

TEST_F(TunnelsTest, ANextKeyTakesOverAndNobodyNotices) {
  lead_both();
  const Server server(machine_.outside(), kThere, 80);
  ASSERT_TRUE(reaches(kThere, kHere));
  const auto former = here_->public_key();
  const auto next = here_->make_next();
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ(here_->public_key(), former);
  auto told = peer(*here_, kHere, kHostAddress);
  told.key = parse_wireguard_key(*next).value();
  lead_there({told});
  EXPECT_EQ(ask({}, kThere, 80), kHere) << "the former key counts until the next one speaks";
  ASSERT_TRUE(here_->use_next());
  EXPECT_EQ(here_->public_key(), *next);
  // As its keeper does, some times a second.
  bool reached = false;
  for (int i = 0; i < 40 && !reached; ++i) {
    reached = ask({}, kThere, 80) == kHere;
    lead_there({told});
  }
  EXPECT_TRUE(reached);
  here_ = open("here");
  EXPECT_EQ(here_->public_key(), *next) << "the next process has it too";
  lead_here({peer(*there_, kThere, kOutsideAddress)});
}

TEST_F(TunnelsTest, ANewProcessGoesOnWithWhatIsThere) {
  lead_both();
  const Server server(machine_.outside(), kThere, 80);
  ASSERT_TRUE(reaches(kThere, kHere));
  auto socket = NetlinkSocket::open().value();
  const int index = find_link(socket, link_).value().index;
  here_ = open("here");
  EXPECT_EQ(ask({}, kThere, 80), kHere) << "nobody was needed for it";
  lead_here({peer(*there_, kThere, kOutsideAddress)});
  EXPECT_EQ(ask({}, kThere, 80), kHere);
  EXPECT_EQ(find_link(socket, link_).value().index, index) << "it was never made anew";
}

TEST_F(TunnelsTest, NothingIsLeft) {
  lead_both();
  auto socket = NetlinkSocket::open().value();
  ASSERT_TRUE(find_link(socket, link_));
  here_ = open("here");
  ASSERT_TRUE(here_->remove());
  EXPECT_FALSE(find_link(socket, link_));
  EXPECT_FALSE(std::filesystem::exists("/var/run/wireguard/" + link_ + ".sock"));
  EXPECT_FALSE(std::filesystem::exists(machine_.folder() / "here" / "wireguard.pid"));
}

TEST_F(TunnelsTest, ThePrivateKeyIsTheMachinesAlone) {
  const auto file = machine_.folder() / "here" / "mesh.key";
  const auto mode = std::filesystem::status(file).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_NE(base::read_file(file).value(), here_->public_key() + "\n");
  ASSERT_TRUE(base::write_file_durably(file, "nonsense\n", 0600));
  const auto damaged = Tunnels::open({id_, machine_.folder() / "here", kPort}, engine("here"));
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, testing::HasSubstr("mesh.key holds no key"));
  EXPECT_THAT(damaged.error().message, testing::Not(testing::HasSubstr("nonsense")));
}

}  // namespace
}  // namespace orchion::node::networks
