#include "mesh/dns/answer_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mesh/dns/dns_client.h"

namespace orchion::mesh::dns {
namespace {

using client::from_bytes;
using client::reply_bytes;
using client::reply_of;
using client::ReplyText;
using client::to_bytes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kAnySize = 65535;
constexpr int kNoSuchName = 3;
const std::string kSoa = "example.com. 600 IN SOA ns.example.com. me.example.com. 1 2 3 4 300";

class AnswerCacheTest : public testing::Test {
 protected:
  void put(const client::Question& question, const ReplyText& reply, AnswerCache& cache) {
    const Bytes query = to_bytes(question);
    cache.put(*question_key(query), reply_of(query, reply));
  }
  void put(const client::Question& question, const ReplyText& reply) { put(question, reply, cache_); }

  std::optional<Bytes> find(const client::Question& question, std::size_t bytes_max = kAnySize) {
    const Bytes query = to_bytes(question);
    return cache_.find(*question_key(query), query, bytes_max);
  }

  base::ManualClock clock_;
  AnswerCache cache_{clock_, {}};
};

TEST_F(AnswerCacheTest, KeepsAnAnswerForAsLongAsItSays) {
  put({"example.com"}, {.answer = {"example.com. 100 IN CNAME example.net.", "example.net. 60 IN A 192.0.2.1"}});
  clock_.advance(std::chrono::milliseconds(10900));
  const auto found = find({.name = "eXample.Com", .id = 77});
  ASSERT_TRUE(found);
  EXPECT_EQ(from_bytes(*found).id, 77);
  EXPECT_THAT(from_bytes(*found).values, ElementsAre("example.net.", "192.0.2.1"));
  const std::string said = client::describe(*found);
  EXPECT_THAT(said, testing::HasSubstr("eXample.Com."));
  EXPECT_THAT(said, testing::HasSubstr("\t90\tIN\tCNAME"));
  EXPECT_THAT(said, testing::HasSubstr("\t50\tIN\tA"));
  EXPECT_FALSE(find({"example.com"}, 20)) << "longer than that";
  clock_.advance(seconds(50));
  EXPECT_FALSE(find({"example.com"}));
  EXPECT_EQ(cache_.entries() + cache_.bytes(), 0u);
}

TEST_F(AnswerCacheTest, EveryBitOfTheQuestionCounts) {
  put({"example.com"}, {.answer = {"example.com. 60 IN A 192.0.2.1"}});
  EXPECT_TRUE(find({"example.com"}));
  EXPECT_FALSE(find({"example.org"}));
  EXPECT_FALSE(find({"example.com", "AAAA"}));
  EXPECT_FALSE(find({.name = "example.com", .edns_bytes = 1232}));
  EXPECT_NE(question_key(to_bytes({.name = "example.com", .edns_bytes = 1232})),
            question_key(to_bytes({.name = "example.com", .edns_bytes = 1232, .dnssec_ok = true})));
  EXPECT_EQ(question_key(to_bytes({.name = "Example.com", .edns_bytes = 1232})),
            question_key(to_bytes({.name = "example.com", .id = 1, .edns_bytes = 512})));
  Bytes checking_disabled = to_bytes({"example.com"});
  checking_disabled[3] |= 0x10;
  EXPECT_NE(question_key(checking_disabled), question_key(to_bytes({"example.com"})));
  // Type 65 (HTTPS) and type 97 differ as "A" and "a" do.
  Bytes https = to_bytes({"example.com"});
  Bytes other = https;
  https[https.size() - 3] = 'A';
  other[other.size() - 3] = 'a';
  EXPECT_NE(question_key(https), question_key(other));
}

TEST_F(AnswerCacheTest, WithAnOptionAQuestionIsItsOwn) {
  Bytes query = to_bytes({.name = "example.com", .edns_bytes = 1232});
  query[query.size() - 1] = 4;
  for (const std::uint8_t byte : {0, 3, 0, 0}) query.push_back(byte);
  EXPECT_FALSE(question_key(query)) << "NSID";
  EXPECT_FALSE(question_key({}));
}

TEST_F(AnswerCacheTest, NegativeAnswersHoldAsTheirZoneSays) {
  put({"no.example.com"}, {.rcode = kNoSuchName, .answer = {}, .authority = {kSoa}});
  put({"example.com", "AAAA"}, {.answer = {"example.com. 60 IN CNAME example.net."}, .authority = {kSoa}});
  put({"old.example.com"}, {.rcode = kNoSuchName, .answer = {}});
  put({"below.example.com"}, {.answer = {}, .authority = {"below.example.com. 60 IN NS ns.example.com."}});
  EXPECT_EQ(cache_.entries(), 2u) << "without an SOA they aren't kept";
  clock_.advance(seconds(59));
  EXPECT_TRUE(find({"example.com", "AAAA"}));
  const auto found = find({"no.example.com"});
  ASSERT_TRUE(found);
  EXPECT_EQ(from_bytes(*found).rcode, kNoSuchName);
  EXPECT_THAT(client::describe(*found), testing::HasSubstr("\t241\tIN\tSOA"));
  clock_.advance(seconds(1));
  EXPECT_FALSE(find({"example.com", "AAAA"}));
  clock_.advance(seconds(239));
  EXPECT_TRUE(find({"no.example.com"}));
  clock_.advance(seconds(1));
  EXPECT_FALSE(find({"no.example.com"})) << "the minimum is less than the SOA's own TTL";
}

TEST_F(AnswerCacheTest, NeverLongerThanAnHour) {
  put({"example.com"}, {.answer = {"example.com. 86400 IN A 192.0.2.1"}});
  clock_.advance(seconds(3599));
  const auto found = find({"example.com"});
  ASSERT_TRUE(found);
  EXPECT_THAT(client::describe(*found), testing::HasSubstr("\t1\tIN\tA"));
  clock_.advance(seconds(1));
  EXPECT_FALSE(find({"example.com"}));
}

TEST_F(AnswerCacheTest, WhatMayNotBeKeptIsnt) {
  const Bytes query = to_bytes({"example.com"});
  const std::string key = *question_key(query);
  const ReplyText good{.answer = {"example.com. 60 IN A 192.0.2.1"}};
  cache_.put(key, reply_of(query, {.rcode = 2, .answer = {}, .authority = {kSoa}}));
  cache_.put(key, reply_of(query, {.rcode = 5, .answer = {}, .authority = {kSoa}}));
  cache_.put(key, reply_of(query, {.answer = {"example.com. 0 IN A 192.0.2.1"}}));
  cache_.put(key, reply_bytes(query, "192.0.2.1", true));
  cache_.put(key, query);
  cache_.put(key, {});
  const Bytes whole = reply_of(query, good);
  for (std::size_t size = 0; size < whole.size(); ++size)
    cache_.put(key, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
  Bytes high = whole;
  high[high.size() - 10] = 0x80;  // of the TTL
  cache_.put(key, high);
  EXPECT_EQ(cache_.entries(), 0u);
  cache_.put(key, whole);
  EXPECT_EQ(cache_.entries(), 1u);
}

TEST_F(AnswerCacheTest, TheLeastRecentlyUsedGoesFirst) {
  AnswerCache few(clock_, {.entries_max = 2, .bytes_max = 100000});
  const auto has = [&](const std::string& name) {
    const Bytes query = to_bytes({name});
    return few.find(*question_key(query), query, kAnySize).has_value();
  };
  put({"one"}, {.answer = {"one. 60 IN A 192.0.2.1"}}, few);
  put({"two"}, {.answer = {"two. 60 IN A 192.0.2.2"}}, few);
  EXPECT_TRUE(has("one"));
  put({"three"}, {.answer = {"three. 60 IN A 192.0.2.3"}}, few);
  EXPECT_TRUE(has("one") && has("three"));
  EXPECT_FALSE(has("two"));
  put({"one"}, {.answer = {"one. 60 IN A 192.0.2.9"}}, few);
  EXPECT_EQ(few.entries(), 2u) << "in place of the one before";
  AnswerCache small(clock_, {.entries_max = 100, .bytes_max = 1000});
  for (int i = 0; i < 100; ++i) put({"n" + std::to_string(i)}, {.answer = {"n. 60 IN A 192.0.2.1"}}, small);
  EXPECT_GT(small.entries(), 1u);
  EXPECT_LE(small.bytes(), 1000u);
  AnswerCache none(clock_, {.entries_max = 100, .bytes_max = 10});
  put({"one"}, {.answer = {"one. 60 IN A 192.0.2.1"}}, none);
  EXPECT_EQ(none.entries() + none.bytes(), 0u);
}

TEST_F(AnswerCacheTest, SaysWhichAddressesAnAnswerHas) {
  const Bytes query = to_bytes({"Www.Example.com"});
  const Bytes reply = reply_of(query, {.answer = {"www.example.com. 100 IN CNAME example.net.",
                                                  "example.net. 60 IN A 192.0.2.1", "example.net. 61 IN A 192.0.2.2"},
                                       .authority = {},
                                       .additional = {"ns.example.net. 60 IN A 192.0.2.3"}});
  EXPECT_THAT(addresses_in(reply).addresses, ElementsAre("192.0.2.1", "192.0.2.2"));
  EXPECT_EQ(addresses_in(reply).ttl, seconds(60));
  EXPECT_EQ(question_name(reply), "www.example.com");
  const Bytes six = to_bytes({"example.com", "AAAA"});
  EXPECT_THAT(addresses_in(reply_of(six, {.answer = {"example.com. 5 IN AAAA 2001:db8::1"}})).addresses,
              ElementsAre("2001:db8::1"));
  const Bytes mail = to_bytes({"example.com", "MX"});
  EXPECT_THAT(addresses_in(reply_of(mail, {.answer = {"example.com. 5 IN A 192.0.2.1"}})).addresses, IsEmpty());
  EXPECT_THAT(addresses_in(reply_of(query, {.rcode = 2, .answer = {"x. 5 IN A 192.0.2.1"}})).addresses, IsEmpty());
  EXPECT_THAT(addresses_in({}).addresses, IsEmpty());
}

}  // namespace
}  // namespace orchion::mesh::dns
