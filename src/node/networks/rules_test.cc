// Names, addresses and rule texts: pure.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "node/networks/addresses.h"
#include "node/networks/foreign_rules.h"
#include "node/networks/host_ports.h"
#include "node/networks/names.h"
#include "node/networks/ruleset.h"

namespace orchion::node::networks {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Names, FitTheKernelAndDiffer) {
  const Names names("k3x9");
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uid = "network" + std::to_string(i);
    for (const auto& name : {names.veth(uid, 0), names.veth(uid, 31)}) {
      EXPECT_EQ(name.size(), 15u);
      EXPECT_TRUE(name.starts_with("or"));
      EXPECT_TRUE(seen.insert(name).second) << name;
    }
  }
  EXPECT_NE(names.prefix(), Names("k3x8").prefix());
  EXPECT_EQ(Names("a-b").table(), "orchion_a_b");
}

TEST(Addresses, AreReadStrictly) {
  const auto subnet = parse_subnet("10.192.3.0/20").value();
  EXPECT_EQ(to_string(subnet.base), "10.192.0.0");
  EXPECT_EQ(to_string(subnet.broadcast()), "10.192.15.255");
  EXPECT_TRUE(subnet.contains(parse_ipv4("10.192.15.1").value()));
  EXPECT_FALSE(subnet.contains(parse_ipv4("10.192.16.1").value()));
  for (const char* bad : {"10.0.0.0", "10.0.0.0/31", "10.0.0.0/", "10.0.0/24", "10.0.0.0/24x", "::/20", ""}) {
    EXPECT_FALSE(parse_subnet(bad).has_value()) << bad;
  }
}

TEST(Ruleset, FindsItsPortsInAListing) {
  constexpr std::string_view kListing = R"(table inet orchion_k { # handle 1
	set same {
		type ifname . ifname
		elements = { "a" . "a" }
	}

	set members { # handle 5
		type ipv4_addr . inet_proto . inet_service . ipv4_addr . inet_service
		elements = { 0.0.0.0 . 17 . 53 . 10.1.1.1 . 5353 comment "t1",
			     0.0.0.0 . 6 . 8080 . 10.1.2.3 . 80 comment "t2", 0.0.0.0 . 6 . 8080 . 10.1.2.9 . 80 comment "t4",
			     127.0.0.1 . 6 . 81 . 10.1.2.4 . 82 comment "t3" }
	}

	chain publish { # handle 9
		meta l4proto . th dport vmap @published # handle 12
	}
}
)";
  const auto ports = parse_ports(kListing);
  ASSERT_EQ(ports.size(), 3u);
  EXPECT_THAT(ports.at({"", true, 53}), ElementsAre(PortMember{"t1", "10.1.1.1", 5353}));
  EXPECT_THAT(ports.at({"", false, 8080}),
              ElementsAre(PortMember{"t2", "10.1.2.3", 80}, PortMember{"t4", "10.1.2.9", 80}));
  EXPECT_THAT(ports.at({"127.0.0.1", false, 81}), ElementsAre(PortMember{"t3", "10.1.2.4", 82}));
  EXPECT_THAT(parse_ports(""), IsEmpty());
}

TEST(Ruleset, AChangeOfAPortTouchesThatPortAlone) {
  const Table table{.name = "orchion_k"};
  const PortKey key{"", false, 8080};
  const PortMember a{"a", "10.0.0.2", 80};
  const PortMember b{"b", "10.0.0.3", 80};
  EXPECT_EQ(change_ports_text(table, {{key, {a}, {a, b}}}),
            "add element inet orchion_k members { 0.0.0.0 . tcp . 8080 . 10.0.0.3 . 80 comment \"b\" }\n"
            "add chain inet orchion_k port_tcp_8080\n"
            "flush chain inet orchion_k port_tcp_8080\n"
            "add rule inet orchion_k port_tcp_8080 meta l4proto tcp dnat ip to numgen inc mod 2 map "
            "{ 0 : 10.0.0.2 . 80, 1 : 10.0.0.3 . 80 }\n"
            "add element inet orchion_k published { tcp . 8080 : goto port_tcp_8080 }\n");
  EXPECT_EQ(change_ports_text(table, {{key, {a}, {}}}),
            "delete element inet orchion_k members { 0.0.0.0 . tcp . 8080 . 10.0.0.2 . 80 }\n"
            "delete element inet orchion_k published { tcp . 8080 }\n"
            "flush chain inet orchion_k port_tcp_8080\n"
            "delete chain inet orchion_k port_tcp_8080\n");
}

TEST(ForeignRules, AreAddedOnceAndOnlyWhereSomethingDrops) {
  constexpr std::string_view kChains = R"(table ip nat {
	chain FORWARD {
		type filter hook forward priority 0; policy drop;
	}
}
table ip filter {
	chain INPUT {
		type filter hook input priority 0; policy drop;
	}
	chain FORWARD {
		type filter hook forward priority 0; policy accept;
	}
}
)";
  EXPECT_THAT(dropping_chains(kChains), ElementsAre(ForeignChain{"ip filter", "INPUT"}));
  EXPECT_THAT(dropping_chains(""), IsEmpty());
  EXPECT_THAT(dropping_chains("table ip6 filter {\n\tchain DOCKER-USER {\n\t}\n}\n"),
              ElementsAre(ForeignChain{"ip6 filter", "DOCKER-USER"}));
  const ForeignChain forward{"ip filter", "FORWARD"};
  const ForeignChain input{"ip filter", "INPUT"};
  const Table table{.name = "orchion_k", .link_prefix = "orabcd"};
  EXPECT_EQ(mend_chain_text(table, forward, "", 0),
            "insert rule ip filter FORWARD iifname \"orabcd*\" accept comment \"orchion_k\"\n"
            "insert rule ip filter FORWARD oifname \"orabcd*\" accept comment \"orchion_k\"\n"
            "insert rule ip filter FORWARD ct mark & 0x00400000 == 0x00400000 accept comment \"orchion_k\"\n");
  constexpr std::string_view kInput =
      "\t\tiifname \"orabcd*\" udp dport 7 accept comment \"orchion_k\" # handle 6\n"
      "\t\tiifname \"orabcd*\" tcp dport 7 accept comment \"orchion_k\" # handle 5\n"
      "\t\tiifname \"x*\" accept comment \"orchion_k2\" # handle 4\n";
  EXPECT_EQ(mend_chain_text(table, input, kInput, 7), "");
  EXPECT_EQ(mend_chain_text(table, input, kInput, 0),
            "delete rule ip filter INPUT handle 6\ndelete rule ip filter INPUT handle 5\n");
}

TEST(HostPorts, FindsTheListenerAmongSockets) {
  constexpr std::string_view kTable =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 11 1 0 20 4 30 10 "
      "-1\n"
      "   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0\n"
      "   2: 00000000:0050 00000000:0000 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 100 0 0 10 0\n";
  EXPECT_EQ(find_socket_inode(kTable, 8080), 22u);
  EXPECT_EQ(find_socket_inode(kTable, 80), std::nullopt) << "only lingering";
  EXPECT_EQ(find_socket_inode(kTable, 50000), std::nullopt);
  EXPECT_EQ(to_string(HostPort{"::1", 80, true}), "[::1]:80/udp");
}

}  // namespace
}  // namespace orchion::node::networks
