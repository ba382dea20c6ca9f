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

class QueryTest : public testing::Test {
 protected:
  QueryTest() {
    table_.put_local("asker", "blue", "10.0.0.9", "shop");
    table_.put({"web1", "blue", "10.0.0.2", "shop", "web", 1, {}});
    table_.put({"web2", "blue", "10.0.0.3", "shop", "web", 2, {}});
    for (std::uint32_t slot = 1; slot <= 100; ++slot) {
      table_.put({"many" + std::to_string(slot), "blue", "10.0.1." + std::to_string(slot), "shop", "many", slot, {}});
    }
  }

  Handled handle(const Bytes& message, Transport transport = Transport::kUdp, std::size_t turn = 0) const {
    return handle_query({message, "10.0.0.9", transport, turn}, table_);
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

TEST_F(QueryTest, AddressesHaveNames) {
  EXPECT_THAT(ask({"3.0.0.10.in-addr.arpa", "PTR"}).values, ElementsAre("2.web.shop.orchion.internal."));
  EXPECT_EQ(handle(to_bytes({"8.8.8.8.in-addr.arpa", "PTR"})).action, Action::kForward);
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
  EXPECT_EQ(handle_query({query, "127.0.0.1", Transport::kUdp, 0}, table_).action, Action::kDrop);
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
