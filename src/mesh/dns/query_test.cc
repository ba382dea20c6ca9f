#include "mesh/dns/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "mesh/dns/dns_client.h"
#include "mesh/dns/upstreams.h"

namespace orchion::mesh::dns {
namespace {

using client::from_bytes;
using client::Question;
using client::Reply;
using client::to_bytes;
using testing::ElementsAre;
using testing::IsEmpty;
using Action = Handled::Action;

// RFC 1035 and 2136 response codes.
constexpr int kNoError = 0;
constexpr int kFormatError = 1;
constexpr int kServerFailure = 2;
constexpr int kNoSuchName = 3;
constexpr int kNotImplemented = 4;

Address at(const std::string& text) {
  return boost::asio::ip::make_address(text);
}

class QueryTest : public testing::Test {
 protected:
  QueryTest() {
    table_.put_network("blue", {"10.0.0.1", "fd00::1", "10.0.0.0/16", "fd00::/64"});
    table_.put_local({"asker", "blue", "10.0.0.9", "shop", "fd00::9"});
    table_.put({.task_uid = "api",
                .network_uid = "blue",
                .address = "10.0.0.7",
                .stack = "shop",
                .service = "api",
                .slot = 1,
                .address6 = "fd00::7",
                .virtual_address = "10.0.0.200",
                .virtual_address6 = "fd00::200"});
    table_.put({"web1", "blue", "10.0.0.2", "shop", "web", 1, {}});
    table_.put({"web2", "blue", "10.0.0.3", "shop", "web", 2, {}});
    for (std::uint32_t slot = 1; slot <= 100; ++slot) {
      table_.put({"many" + std::to_string(slot), "blue", "10.0.1." + std::to_string(slot), "shop", "many", slot, {}});
    }
  }

  Handled handle(const Bytes& message, Transport transport = Transport::kUdp, std::size_t turn = 0) const {
    return handle_query({message, at("10.0.0.9"), transport, turn}, table_);
  }

  Reply ask(const Question& question, Transport transport = Transport::kUdp, std::size_t turn = 0) const {
    const Handled handled = handle(to_bytes(question), transport, turn);
    EXPECT_EQ(handled.action, Action::kReply) << question.name;
    return from_bytes(handled.reply);
  }

  RecordTable table_;
};

TEST_F(QueryTest, AnswersWithAddressesInTurn) {
  const Reply first = ask({"web"});
  EXPECT_EQ(first.rcode, kNoError);
  EXPECT_EQ(first.id, 4711);
  EXPECT_TRUE(first.authoritative);
  EXPECT_FALSE(first.edns);
  EXPECT_THAT(first.values, ElementsAre("10.0.0.2", "10.0.0.3"));
  EXPECT_THAT(ask({"WEB.shop.orchion.internal"}, Transport::kUdp, 1).values, ElementsAre("10.0.0.3", "10.0.0.2"));
  EXPECT_THAT(ask({"web", "ANY"}).values.size(), 2u);
}

TEST_F(QueryTest, OtherTypesOfANameThatExistsAreEmpty) {
  for (const char* type : {"AAAA", "MX", "TXT", "SRV"}) {
    const Reply reply = ask({"web", type});
    EXPECT_EQ(reply.rcode, kNoError) << type;
    EXPECT_THAT(reply.values, IsEmpty()) << type;
  }
  EXPECT_EQ(ask({"nobody", "AAAA"}).rcode, kNoSuchName);
  EXPECT_EQ(ask({"nobody.shop.orchion.internal"}).rcode, kNoSuchName);
}

// musl gives a name up whose AAAA doesn't exist; caches want to know for how long.
TEST_F(QueryTest, WhatIsntThereHoldsForASecond) {
  const Reply no_ipv6 = ask({"web", "AAAA"});
  EXPECT_EQ(no_ipv6.rcode, kNoError);
  EXPECT_THAT(no_ipv6.authority, ElementsAre("web.\t1\tIN\tSOA\tweb. nobody.invalid. 1 2 2 2 1"));
  for (const char* type : {"A", "AAAA", "MX", "SRV", "ANY"}) {
    const Reply nobody = ask({"nobody.shop.orchion.internal", type});
    EXPECT_EQ(nobody.rcode, kNoSuchName) << type;
    EXPECT_THAT(nobody.authority,
                ElementsAre("orchion.internal.\t1\tIN\tSOA\torchion.internal. nobody.invalid. 1 2 2 2 1"));
  }
  EXPECT_THAT(ask({"web", "MX"}).authority.size(), 1u);
  EXPECT_THAT(ask({"web"}).authority, IsEmpty());
}

TEST_F(QueryTest, AnswersForIpv6) {
  EXPECT_THAT(ask({"api"}).values, ElementsAre("10.0.0.200"));
  EXPECT_THAT(ask({"api", "AAAA"}).values, ElementsAre("fd00::200"));
  EXPECT_THAT(ask({"tasks.api", "AAAA"}).values, ElementsAre("fd00::7"));
  EXPECT_THAT(ask({"api", "ANY"}).values, ElementsAre("10.0.0.200", "fd00::200"));
  EXPECT_THAT(ask({"host.docker.internal", "AAAA"}).values, ElementsAre("fd00::1"));
  const Bytes query = to_bytes({"api", "AAAA"});
  EXPECT_THAT(from_bytes(handle_query({query, at("fd00::9"), Transport::kUdp, 0}, table_).reply).values,
              ElementsAre("fd00::200"));
}

TEST_F(QueryTest, SaysWhereAServiceListens) {
  const Reply known = ask({"_8080._tcp.api", "SRV"});
  EXPECT_THAT(known.values, ElementsAre("0 0 8080 1.api.shop.orchion.internal."));
  EXPECT_THAT(known.additional, ElementsAre("1.api.shop.orchion.internal.\t2\tIN\tA\t10.0.0.7",
                                            "1.api.shop.orchion.internal.\t2\tIN\tAAAA\tfd00::7"));
  EXPECT_THAT(ask({"_443._tcp.api.shop.orchion.internal", "SRV"}).values,
              ElementsAre("0 0 443 1.api.shop.orchion.internal."));
  EXPECT_EQ(ask({"_http._tcp.api", "SRV"}).rcode, kNoSuchName);
  EXPECT_EQ(ask({"_443._tcp.api", "A"}).rcode, kNoError);
  EXPECT_EQ(handle(to_bytes({"_443._tcp.example.com", "SRV"})).action, Action::kForward);
}

TEST_F(QueryTest, AddressesOfTargetsAreLeftOutWhereTheyDontFit) {
  for (std::uint32_t slot = 1; slot <= 8; ++slot)
    table_.put({"few" + std::to_string(slot), "blue", "10.0.2." + std::to_string(slot), "shop", "few", slot, {}});
  const Reply small = ask({"_1._tcp.few", "SRV"});
  EXPECT_FALSE(small.truncated);
  EXPECT_EQ(small.values.size(), 8u);
  EXPECT_THAT(small.additional, IsEmpty());
  EXPECT_EQ(ask({.name = "_1._tcp.few", .type = "SRV", .edns_bytes = 1232}).additional.size(), 8u);
  EXPECT_TRUE(ask({"_1._tcp.many", "SRV"}).truncated);
  EXPECT_EQ(ask({"_1._tcp.many", "SRV"}, Transport::kTcp).additional.size(), 100u);
}

TEST_F(QueryTest, AddressesHaveNames) {
  EXPECT_THAT(ask({"3.0.0.10.in-addr.arpa", "PTR"}).values, ElementsAre("2.web.shop.orchion.internal."));
  EXPECT_THAT(ask({"200.0.0.10.in-addr.arpa", "PTR"}).values, ElementsAre("api.shop.orchion.internal."));
  EXPECT_THAT(ask({"1.0.0.10.In-Addr.ARPA", "PTR"}).values, ElementsAre("host.docker.internal."));
  const std::string zeros = ".0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";
  EXPECT_THAT(ask({"7.0" + zeros, "PTR"}).values, ElementsAre("1.api.shop.orchion.internal."));
  const Reply nobodys = ask({"77.0.0.10.in-addr.arpa", "PTR"});
  EXPECT_EQ(nobodys.rcode, kNoSuchName);
  EXPECT_EQ(nobodys.authority.size(), 1u);
  EXPECT_EQ(ask({"8.0" + zeros, "PTR"}).rcode, kNoSuchName);
  EXPECT_EQ(ask({"web", "PTR"}).rcode, kNoError);
  for (const char* other :
       {"8.8.8.8.in-addr.arpa", "0.0.10.in-addr.arpa", "1.2.0.0.10.in-addr.arpa", "256.0.0.10.in-addr.arpa",
        "x.0.0.10.in-addr.arpa", "01.0.0.10.in-addr.arpa", "7.0.ip6.arpa"}) {
    EXPECT_EQ(handle(to_bytes({other, "PTR"})).action, Action::kForward) << other;
  }
  EXPECT_EQ(handle(to_bytes({"in-addr.arpa", "PTR"})).action, Action::kForward);
}

TEST_F(QueryTest, ALongAnswerIsCutForUdpAndWholeForTcp) {
  const Reply cut = ask({"many"});
  EXPECT_TRUE(cut.truncated);
  EXPECT_THAT(cut.values, IsEmpty());
  const Reply small_cut = ask({.name = "many", .edns_bytes = 600});
  EXPECT_TRUE(small_cut.truncated && small_cut.edns);
  const Reply whole = ask({"many"}, Transport::kTcp);
  EXPECT_FALSE(whole.truncated);
  EXPECT_EQ(std::set<std::string>(whole.values.begin(), whole.values.end()).size(), 100u);
  EXPECT_LE(handle(to_bytes({.name = "many", .edns_bytes = 65000})).reply.size(), 1232u);
}

TEST_F(QueryTest, OthersNamesAreForwarded) {
  EXPECT_EQ(handle(to_bytes({"example.com"})).action, Action::kForward);
  EXPECT_EQ(handle(to_bytes({"example.com", "MX"})).action, Action::kForward);
}

TEST_F(QueryTest, StrangersAndNonsenseGetNoAnswer) {
  const Bytes query = to_bytes({"web"});
  EXPECT_EQ(handle_query({query, at("127.0.0.1"), Transport::kUdp, 0}, table_).action, Action::kDrop);
  EXPECT_EQ(handle({}).action, Action::kDrop);
  EXPECT_EQ(handle(Bytes(11, 0)).action, Action::kDrop);
  EXPECT_EQ(handle(Bytes(200, 0xff)).action, Action::kDrop);
  for (std::size_t size = 0; size < query.size(); ++size) {
    EXPECT_EQ(handle(Bytes(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(size))).action, Action::kDrop);
  }
  EXPECT_EQ(handle(client::reply_bytes(query, "1.2.3.4")).action, Action::kDrop) << "an answer is no question";
  Bytes loop = query;
  loop[12] = 0xc0;  // a name that points at itself
  loop[13] = 12;
  EXPECT_EQ(handle(loop).action, Action::kDrop);
}

TEST_F(QueryTest, WhatWeDontDoIsSaid) {
  Bytes update = to_bytes({"web"});
  update[2] = static_cast<std::uint8_t>(update[2] | 5 << 3);
  EXPECT_EQ(from_bytes(handle(update).reply).rcode, kNotImplemented);
  Bytes empty = to_bytes({"web"});
  empty.resize(12);
  empty[5] = 0;
  EXPECT_EQ(from_bytes(handle(empty).reply).rcode, kFormatError);
}

TEST_F(QueryTest, OnlyTheFirstVersionOfEdnsIsSpoken) {
  Bytes query = to_bytes({.name = "web", .edns_bytes = 1232});
  query[query.size() - 5] = 1;
  const Bytes reply = handle(query).reply;
  EXPECT_EQ(from_bytes(reply).rcode, kNoError);
  ASSERT_GE(reply.size(), 11u);
  EXPECT_EQ(reply[reply.size() - 6], 1) << "the upper bits of BADVERS";
  EXPECT_THAT(from_bytes(reply).values, IsEmpty());
}

TEST_F(QueryTest, RecognisesTheAnswerToAQuestion) {
  const Bytes query = to_bytes({"Example.com"});
  EXPECT_TRUE(answers(client::reply_bytes(to_bytes({"example.COM"}), "1.2.3.4"), query));
  EXPECT_FALSE(answers(client::reply_bytes(to_bytes({"example.org"}), "1.2.3.4"), query));
  EXPECT_FALSE(answers(client::reply_bytes(to_bytes({"example.com", "AAAA"}), "1.2.3.4"), query));
  EXPECT_FALSE(answers(query, query));
  EXPECT_FALSE(answers({}, query));
  const Reply failure = from_bytes(server_failure(query));
  EXPECT_EQ(failure.rcode, kServerFailure);
  EXPECT_EQ(failure.id, 4711);
}

TEST(ResolvConf, NamesTheHostsResolvers) {
  EXPECT_THAT(parse_resolv_conf("# nameserver 1.1.1.1\nsearch lan\nnameserver 192.168.1.1 # router\n"
                                "nameserver\tfe80::1%eth0\r\nnameserverx 9.9.9.9\nnameserver\nnameserver 3.3.3.3\n"
                                "nameserver 4.4.4.4"),
              ElementsAre(Upstream{"192.168.1.1"}, Upstream{"fe80::1%eth0"}, Upstream{"3.3.3.3"}));
  EXPECT_THAT(parse_resolv_conf(""), IsEmpty());
}

}  // namespace
}  // namespace orchion::mesh::dns
