// The text, and what the kernel makes of it: tasks of a small machine that the host routes between.

#include "node/networks/policy_rules.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/networks/namespaces.h"
#include "node/networks/network_lab.h"
#include "node/networks/nft.h"

namespace orchion::node::networks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Clock = std::chrono::steady_clock;

const Table kTable{"orchion_k", "or"};

std::size_t count(const std::string& text, std::string_view word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

PolicyAllow allow(std::vector<std::string> addresses, std::vector<PolicyPorts> ports = {}) {
  return {.anybody = false, .addresses = std::move(addresses), .ranges = {}, .except = {}, .ports = std::move(ports)};
}

PolicyAllow allow_range(std::string range, std::vector<std::string> except = {}) {
  return {.anybody = false, .addresses = {}, .ranges = {std::move(range)}, .except = std::move(except), .ports = {}};
}

PolicyAllow allow_anybody(std::vector<PolicyPorts> ports) {
  return {.anybody = true, .addresses = {}, .ranges = {}, .except = {}, .ports = std::move(ports)};
}

PolicyPorts tcp(std::uint16_t first, std::uint16_t last = 0) {
  return {.tcp = true, .udp = false, .first = first, .last = std::max(first, last)};
}

Policies one(const std::string& uid, const std::vector<std::string>& addresses, PolicyGroup group) {
  const std::string name = group.egress ? "egress p" : "ingress p";
  Policies policies;
  policies.tasks[uid] = {uid, addresses, {}, {}};
  (group.egress ? policies.tasks[uid].egress : policies.tasks[uid].ingress) = name;
  policies.groups[name] = std::move(group);
  return policies;
}

TEST(PolicyText, SaysNothingWhereNothingDiffers) {
  const auto policies = one("t", {"10.0.0.2"}, {false, {allow({"10.0.0.3"})}});
  EXPECT_EQ(policies_text(kTable, policies, policies), "");
  EXPECT_EQ(policies_text(kTable, {}, {}), "");
}

TEST(PolicyText, APeerThatComesIsAnElement) {
  const auto before = one("t", {"10.0.0.2"}, {false, {allow({"10.0.0.3"}, {tcp(80)})}});
  auto after = before;
  after.groups.begin()->second.allows[0].addresses = {"10.0.0.4", "fd00::4"};
  const auto text = policies_text(kTable, before, after);
  EXPECT_EQ(count(text, "\n"), 3u) << text;
  EXPECT_THAT(text, HasSubstr("{ 10.0.0.3 }\nadd element inet orchion_k in_"));
  EXPECT_THAT(text, HasSubstr("_0 { 10.0.0.4 }\n"));
  EXPECT_THAT(text, HasSubstr("_0_6 { fd00::4 }\n"));
}

TEST(PolicyText, PortsAreMergedAndProtocolsKept) {
  const PolicyPorts both{.tcp = true, .udp = true, .first = 53, .last = 53};
  const auto text = policies_text(
      kTable, {}, one("t", {"10.0.0.2"}, {true, {allow_anybody({tcp(80), tcp(81, 90), tcp(85, 100), both})}}));
  EXPECT_THAT(text, HasSubstr(" tcp dport { 53, 80-100 } return\n"));
  EXPECT_THAT(text, HasSubstr(" udp dport { 53 } return\n"));
  EXPECT_THAT(text, HasSubstr(" reject with icmpx admin-prohibited\n"));
  EXPECT_THAT(text, HasSubstr("policy_out { 10.0.0.2 : jump out_"));
}

TEST(PolicyText, FindsItsOwnInAListing) {
  constexpr std::string_view kListing =
      "table inet orchion_k { # handle 1\n"
      "\tset members { # handle 5\n\t}\n"
      "\tset in_0123456789abcdef_0_6 { # handle 6\n\t\ttype ipv6_addr\n\t}\n"
      "\tchain input { # handle 9\n\t}\n\tchain in_x { # handle 9\n\t}\n"
      "\tchain out_0123456789abcdef { # handle 9\n\t\tip saddr @in_0123456789abcdef_0 return\n\t}\n}\n";
  const auto leftovers = parse_policies(kListing);
  EXPECT_THAT(leftovers.sets, ElementsAre("in_0123456789abcdef_0_6"));
  EXPECT_THAT(leftovers.chains, ElementsAre("out_0123456789abcdef"));
}

// --- in the kernel ---

// A host that routes between tasks at 10.1.0.N and fd00::N, each behind a link of its own.
class PolicyKernel : public testing::Test {
 protected:
  PolicyKernel() {
    shell("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    nft(policies_base_text(kTable) +
        "add chain inet orchion_k fwd_all { type filter hook forward priority filter; policy accept; }\n"
        "add rule inet orchion_k fwd_all ct state established,related accept\n"
        "add rule inet orchion_k fwd_all jump policies\n");
  }

  static void shell(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  void nft(const std::string& text) {
    const auto done = nft_.run(text);
    ASSERT_TRUE(done.has_value()) << done.error().message << "\n" << text;
  }

  void bring(const Policies& after) {
    nft(policies_text(kTable, held_, after));
    held_ = after;
  }

  static std::string v4(int n) { return fmt::format("10.1.{}.{}", n / 200, n % 200 + 2); }
  static std::string v6(int n) { return fmt::format("fd00::{:x}", n + 2); }

  lab::Place task(int n) {
    const auto place = machine_.folder() / fmt::format("t{}", n);
    EXPECT_TRUE(open_namespace(place).has_value());
    const auto inside = fmt::format("nsenter --net={} ip ", place.string());
    shell(fmt::format("ip link add v{0} type veth peer name eth0 netns {1}", n, place.string()));
    shell(
        fmt::format("ip link set v{0} up && ip addr add 10.255.0.1/32 dev v{0} && ip addr add fe80::1/64 dev v{0} "
                    "nodad && ip route add {1}/32 dev v{0} && ip -6 route add {2}/128 dev v{0}",
                    n, v4(n), v6(n)));
    shell(inside + "link set lo up && " + inside + "link set eth0 up && " + inside +
          fmt::format("addr add {}/32 dev eth0 && ", v4(n)) + inside +
          fmt::format("-6 addr add {}/128 dev eth0 nodad && ", v6(n)) + inside + "route add 10.255.0.1 dev eth0 && " +
          inside + "route add default via 10.255.0.1 dev eth0 && " + inside +
          "-6 route add default via fe80::1 dev eth0");
    return place;
  }

  // "reached", "refused" at once, or "lost".
  static std::string try_it(const lab::Place& from, const std::string& address, std::uint16_t port) {
    const auto begin = Clock::now();
    if (!lab::ask(from, address, port).empty()) return "reached";
    return Clock::now() - begin < std::chrono::milliseconds(400) ? "refused" : "lost";
  }

  std::string listing() { return nft_.run("list table inet orchion_k\n").value_or(""); }

  lab::Machine machine_;  // first: all else is on it
  Nft nft_;
  Policies held_;
};

TEST_F(PolicyKernel, WhoIsAllowedComesInAndOthersAreRefusedAtOnce) {
  const auto web = task(0), other = task(1), db = task(2);
  const lab::Server server(db, v4(2), 5432), closed(db, v4(2), 5433), server6(db, v6(2), 5432);
  EXPECT_EQ(try_it(other, v4(2), 5432), "reached") << "without policies";
  EXPECT_EQ(try_it(other, v6(2), 5432), "reached");

  bring(one("db", {v4(2), v6(2)}, {false, {allow({v4(0), v6(0)}, {tcp(5432)})}}));
  EXPECT_EQ(try_it(web, v4(2), 5432), "reached");
  EXPECT_EQ(try_it(web, v6(2), 5432), "reached");
  EXPECT_EQ(try_it(web, v4(2), 5433), "refused") << "another port";
  EXPECT_EQ(try_it(other, v4(2), 5432), "refused");
  EXPECT_EQ(try_it(other, v6(2), 5432), "refused");

  auto wider = held_;
  wider.groups.begin()->second.allows[0].addresses.push_back(v4(1));
  bring(wider);
  EXPECT_EQ(try_it(other, v4(2), 5432), "reached");
  auto narrower = held_;
  narrower.groups.begin()->second.allows[0].addresses = {v4(1)};
  bring(narrower);
  EXPECT_EQ(try_it(web, v4(2), 5432), "refused");
  bring({});
  EXPECT_EQ(try_it(web, v4(2), 5433), "reached");
  EXPECT_THAT(parse_policies(listing()).chains, IsEmpty());
  EXPECT_THAT(parse_policies(listing()).sets, IsEmpty());
}

TEST_F(PolicyKernel, RangesDecideWhereOneGoes) {
  const auto web = task(0), db = task(2);
  const lab::Server inside(db, v4(2), 80), outside(machine_.outside(), lab::kOutsideAddress, 80);
  bring(one("web", {v4(0)}, {true, {allow_range("192.0.2.0/24", {"192.0.2.2/32"})}}));
  EXPECT_EQ(try_it(web, v4(2), 80), "refused");
  EXPECT_EQ(try_it(web, lab::kOutsideAddress, 80), "refused") << "an exception";
  bring(one("web", {v4(0)}, {true, {allow_range("0.0.0.0/0", {"10.0.0.0/8"})}}));
  EXPECT_EQ(try_it(web, v4(2), 80), "refused");
  // What is outside here has no way back to tasks: what counts is that nothing refuses.
  EXPECT_EQ(try_it(web, lab::kOutsideAddress, 80), "lost");
  bring(one("web", {v4(0)}, {true, {allow_anybody({tcp(80)})}}));
  EXPECT_EQ(try_it(web, v4(2), 80), "reached");
  EXPECT_EQ(try_it(web, v4(2), 81), "refused");
}

// By its service's name, which means a virtual address, a task may come out at itself: the packet is routed back.
TEST_F(PolicyKernel, ATaskReachesItselfWhateverPoliciesSay) {
  const auto web = task(0), other = task(1);
  const lab::Server server(web, v4(0), 80);
  nft("add chain inet orchion_k pre { type nat hook prerouting priority dstnat; }\n"
      "add rule inet orchion_k pre ip daddr 10.77.0.1 dnat ip to " +
      v4(0) +
      "\n"
      "add chain inet orchion_k post { type nat hook postrouting priority srcnat; }\n"
      "add rule inet orchion_k post ip saddr " +
      v4(0) + " ip daddr " + v4(0) + " masquerade\n");
  auto closed = one("web", {v4(0)}, {false, {}});
  closed.groups["egress none"] = {true, {}};
  closed.tasks["web"].egress = "egress none";
  bring(closed);
  EXPECT_EQ(try_it(other, "10.77.0.1", 80), "refused");
  EXPECT_EQ(try_it(web, "10.77.0.1", 80), "reached");
}

TEST_F(PolicyKernel, BothDirectionsAreAsked) {
  const auto web = task(0), db = task(2);
  const lab::Server server(db, v4(2), 80);
  auto policies = one("db", {v4(2)}, {false, {allow({v4(0)})}});
  policies.groups["egress none"] = {true, {}};
  policies.tasks["web"] = {"web", {v4(0)}, std::nullopt, "egress none"};
  bring(policies);
  EXPECT_EQ(try_it(web, v4(2), 80), "refused");
  policies.tasks.erase("web");
  bring(policies);
  EXPECT_EQ(try_it(web, v4(2), 80), "reached");
  policies.groups.erase("egress none");
  bring(policies);
  EXPECT_EQ(try_it(web, v4(2), 80), "reached");
}

TEST_F(PolicyKernel, AProcessThatKnowsNothingBringsTheSameWithoutAGap) {
  const auto web = task(0), other = task(1), db = task(2);
  const lab::Server server(db, v4(2), 80);
  auto policies = one("db", {v4(2), v6(2)}, {false, {allow({v4(0)}, {tcp(80)}), allow_range("192.0.2.0/24")}});
  bring(policies);
  const auto fresh = listing();
  auto stale = policies;
  stale.groups["ingress old"] = {false, {allow({"10.9.9.9"})}};
  stale.tasks["old"] = {"old", {"10.9.9.8"}, "ingress old", std::nullopt};
  stale.groups["ingress p"].allows[0].addresses = {v4(1)};
  bring(stale);
  EXPECT_EQ(try_it(web, v4(2), 80), "refused");
  nft(policies_base_text(kTable));
  EXPECT_EQ(try_it(other, v4(2), 80), "reached") << "the next process's first words change nothing";

  nft(policies_anew_text(kTable, parse_policies(listing()), policies));
  EXPECT_EQ(try_it(web, v4(2), 80), "reached");
  EXPECT_EQ(try_it(other, v4(2), 80), "refused");
  EXPECT_THAT(parse_policies(listing()).chains, ElementsAre(parse_policies(fresh).chains.front()));
  EXPECT_EQ(parse_policies(listing()).sets, parse_policies(fresh).sets);
  EXPECT_THAT(listing(), Not(HasSubstr("10.9.9.9")));
  nft(policies_anew_text(kTable, {}, {}));
  EXPECT_EQ(try_it(other, v4(2), 80), "reached");
}

// `groups` policies over `tasks` tasks, each of which every task may talk to.
Policies many(int tasks, int groups) {
  Policies policies;
  std::vector<std::string> peers;
  for (int i = 0; i < tasks; ++i) {
    const auto uid = fmt::format("task-{}", i);
    const auto address = fmt::format("10.2.{}.{}", i / 200, i % 200 + 2);
    policies.tasks[uid] = {
        uid, {address, fmt::format("fd01::{:x}", i + 2)}, fmt::format("ingress {}", i % groups), std::nullopt};
    peers.push_back(address);
  }
  for (int i = 0; i < groups; ++i) {
    // One peer each where there are many groups: a thousand that all know a thousand are none of this world.
    const auto known = groups > 10 ? std::vector{peers[static_cast<std::size_t>(i)]} : peers;
    policies.groups[fmt::format("ingress {}", i)] = {false, {allow(known, {tcp(80)})}};
  }
  return policies;
}

TEST_F(PolicyKernel, AThousandTasksAreLoadedInOneGoAndOneMoreIsAFewWords) {
  for (const int groups : {1, 1000}) {
    const auto before = many(1000, groups), after = many(1001, groups);
    const auto text = policies_text(kTable, {}, before);
    const auto begin = Clock::now();
    nft(text);
    const auto loaded = Clock::now();
    const auto more = policies_text(kTable, before, after);
    nft(more);
    const auto added = Clock::now();
    nft(policies_anew_text(kTable, parse_policies(listing()), after));
    const auto anew = Clock::now();
    const auto ms = [](auto duration) { return std::chrono::duration<double, std::milli>(duration).count(); };
    std::cout << fmt::format("{} groups: 1000 tasks {:.0f} ms, one more {:.1f} ms, all anew {:.0f} ms\n", groups,
                             ms(loaded - begin), ms(added - loaded), ms(anew - added));
    EXPECT_LE(count(more, "\n"), 12u) << more;
    EXPECT_LE(count(more, ","), 12u) << more;
    EXPECT_LT(ms(loaded - begin), 10'000) << "it should take less than a second on a quiet machine";
    if (groups > 10) {
      EXPECT_LT(3 * (added - loaded), loaded - begin) << "one more costs what it concerns";
    }
    nft(policies_anew_text(kTable, parse_policies(listing()), {}));
  }
}

}  // namespace
}  // namespace orchion::node::networks
