// What a WireGuard link needs, and the text that tells a program so: pure.

#include "node/networks/wireguard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/networks/wireguard_uapi.h"

namespace orchion::node::networks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kNow = 1'700'000'000;

WireguardKey key(std::uint8_t number) {
  WireguardKey out{};
  out.fill(number);
  return out;
}

const Ipv4 kWithin{0x0aff8002};
const WireguardEndpoint kThere{Ipv4{0x0a580002}, 4604};
const WireguardEndpoint kElsewhere{Ipv4{0xc0000207}, 31000};

class WireguardPlanTest : public testing::Test {
 protected:
  WireguardStep plan() const { return plan_wireguard(device_, plan_, told_, kNow); }

  WireguardDevice device_{.private_key = key(1), .port = 4604, .peers = {}};
  TunnelPlan plan_{.private_key = key(1), .port = 4604, .peers = {{kWithin, key(2), kThere}}};
  std::map<WireguardKey, WireguardEndpoint> told_;
};

TEST_F(WireguardPlanTest, ANewDeviceGetsAll) {
  device_ = {};
  const auto step = plan();
  EXPECT_EQ(step.change.private_key, key(1));
  EXPECT_EQ(step.change.port, 4604);
  EXPECT_THAT(step.change.peers, ElementsAre(WireguardPeerChange{key(2), false, kThere, kWithin}));
  EXPECT_FALSE(step.pending);
}

TEST_F(WireguardPlanTest, NothingIsSaidTwice) {
  device_.peers[key(2)] = {kThere, {kWithin}, kNow};
  EXPECT_TRUE(plan().change.empty());
}

TEST_F(WireguardPlanTest, WhatWasLearnedStaysUntilAnotherIsSaid) {
  device_.peers[key(2)] = {kElsewhere, {kWithin}, kNow};
  told_[key(2)] = kThere;
  EXPECT_TRUE(plan().change.empty()) << "behind a translation it has another";
  told_.clear();
  EXPECT_TRUE(plan().change.empty()) << "after a restart too";
  told_[key(2)] = {Ipv4{0x0a580003}, 4604};
  EXPECT_THAT(plan().change.peers, ElementsAre(WireguardPeerChange{key(2), false, kThere, std::nullopt}));
}

TEST_F(WireguardPlanTest, WhoIsGoneGoes) {
  device_.peers[key(2)] = {kThere, {kWithin}, kNow};
  plan_.peers.clear();
  EXPECT_THAT(plan().change.peers, ElementsAre(WireguardPeerChange{key(2), true, std::nullopt, std::nullopt}));
}

TEST_F(WireguardPlanTest, ANextKeyStandsByUntilItHasSpoken) {
  device_.peers[key(2)] = {kElsewhere, {kWithin}, kNow - 100};
  told_[key(2)] = kThere;
  plan_.peers[0].key = key(3);
  auto step = plan();
  EXPECT_THAT(step.change.peers, ElementsAre(WireguardPeerChange{key(3), false, kElsewhere, std::nullopt}))
      << "where the former was heard from";
  EXPECT_TRUE(step.pending);
  device_.peers[key(3)] = {kElsewhere, {}, 0};
  step = plan();
  EXPECT_TRUE(step.change.empty());
  EXPECT_TRUE(step.pending);
  device_.peers[key(3)].handshake_seconds = kNow;
  step = plan();
  EXPECT_THAT(step.change.peers, ElementsAre(WireguardPeerChange{key(3), false, std::nullopt, kWithin},
                                             WireguardPeerChange{key(2), true, std::nullopt, std::nullopt}));
  EXPECT_FALSE(step.pending);
}

TEST_F(WireguardPlanTest, AFormerKeyThatIsSilentIsNotWaitedFor) {
  plan_.peers[0].key = key(3);
  for (const std::int64_t heard : {std::int64_t{0}, kNow - 180}) {
    device_.peers[key(2)] = {kThere, {kWithin}, heard};
    const auto step = plan();
    EXPECT_THAT(step.change.peers, ElementsAre(WireguardPeerChange{key(3), false, kThere, kWithin},
                                               WireguardPeerChange{key(2), true, std::nullopt, std::nullopt}));
    EXPECT_FALSE(step.pending);
  }
}

TEST_F(WireguardPlanTest, AKeyThatIsTakenBackLeavesTheFormer) {
  device_.peers[key(2)] = {kThere, {kWithin}, kNow};
  device_.peers[key(3)] = {kThere, {}, 0};
  EXPECT_THAT(plan().change.peers, ElementsAre(WireguardPeerChange{key(3), true, std::nullopt, std::nullopt}));
}

TEST(WireguardUapi, SaysAChange) {
  WireguardChange change{.private_key = key(0xab), .port = 4604, .peers = {}};
  change.peers.push_back({key(2), false, kThere, kWithin});
  change.peers.push_back({key(3), true, std::nullopt, std::nullopt});
  std::string hex;
  for (int i = 0; i < 32; ++i) hex += "ab";
  const auto text = uapi_set_text(change);
  EXPECT_TRUE(text.starts_with("set=1\nprivate_key=" + hex + "\nlisten_port=4604\npublic_key=0202")) << text;
  EXPECT_THAT(text, HasSubstr("\nendpoint=10.88.0.2:4604\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\n"
                              "allowed_ip=10.255.128.2/32\npublic_key=0303"));
  EXPECT_TRUE(text.ends_with("03\nremove=true\n\n")) << text;
}

TEST(WireguardUapi, ReadsADevice) {
  std::string two, three;
  for (int i = 0; i < 32; ++i) two += "02", three += "03";
  const auto device = parse_uapi_device("private_key=" + two + "\nlisten_port=4604\npublic_key=" + three +
                                        "\nprotocol_version=1\nendpoint=10.88.0.2:4604\nlast_handshake_time_sec=17\n"
                                        "last_handshake_time_nsec=5\ntx_bytes=1\nrx_bytes=2\n"
                                        "persistent_keepalive_interval=25\nallowed_ip=10.255.128.2/32\n"
                                        "allowed_ip=fd00::/64\nerrno=0\n\n");
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ(device->private_key, key(2));
  EXPECT_EQ(device->port, 4604);
  EXPECT_EQ(device->peers.at(key(3)), (WireguardPeer{kThere, {kWithin}, 17}));
  EXPECT_EQ(parse_uapi_errno("errno=0\n\n").value(), 0);
  EXPECT_EQ(parse_uapi_errno("errno=-22\n\n").value(), 22);
  EXPECT_FALSE(parse_uapi_errno("\n"));
  for (const char* bad : {"private_key=zz\n", "public_key=01\n", "listen_port=70000\n"})
    EXPECT_FALSE(parse_uapi_device(bad)) << bad;
}

TEST(Wireguard, ReadsKeysAndEndpoints) {
  EXPECT_EQ(parse_wireguard_key(to_base64(key(7))).value(), key(7));
  EXPECT_FALSE(parse_wireguard_key("AAAA"));
  EXPECT_EQ(parse_endpoint("10.88.0.2:4604").value(), kThere);
  for (const char* bad : {"", "10.88.0.2", "10.88.0.2:", "10.88.0.2:0", "10.88.0.2:99999", "[::1]:4604", "x:1"})
    EXPECT_FALSE(parse_endpoint(bad)) << bad;
}

}  // namespace
}  // namespace orchion::node::networks
