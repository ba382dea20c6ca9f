#include "mesh/dns/plain_query.h"

#include <gtest/gtest.h>

#include <random>

#include "mesh/dns/dns_client.h"

namespace orchion::mesh::dns {
namespace {

using Action = Handled::Action;

Address at(const std::string& text) {
  return boost::asio::ip::make_address(text);
}

// Both families, virtual addresses and none, one and many, two networks that share names.
RecordTable make_table() {
  RecordTable table;
  table.put_network("blue", {"10.0.0.1", "fd00::1", "10.0.0.0/16", "fd00::/64"});
  table.put_local({"asker", "blue", "10.0.0.9", "shop", "fd00::9"});
  table.put_local({"asker", "red", "10.1.0.9", "shop"});
  for (std::uint32_t slot = 1; slot <= 60; ++slot) {
    const auto number = std::to_string(slot);
    table.put({"many" + number, "blue", "10.0.1." + number, "shop", "many", slot, {"lot"}, "fd00::1:" + number});
  }
  for (const char* network : {"blue", "red"}) {
    const std::string prefix = network == std::string("blue") ? "10.0.2." : "10.1.2.";
    table.put({"web1", network, prefix + "1", "shop", "web", 1, {"www", "web.example.com"}});
    table.put({"web2", network, prefix + "2", "shop", "web", 2, {"www"}});
  }
  table.put({"api1", "blue", "10.0.3.1", "shop", "api", 1, {}, "fd00::3:1", "10.0.3.200", "fd00::3:200"});
  table.put({"api1", "other", "10.0.4.1", "other", "api", 1, {}});
  return table;
}

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }

  client::Question question() {
    static const std::vector<std::string> kLabels = {
        "web",  "api",   "many",    "www",      "lot",   "tasks",  "1",       "2",   "61",
        "shop", "other", "orchion", "internal", "host",  "docker", "example", "com", "_80",
        "_tcp", "_http", "a-b",     "x_y",      "n\\@t", "d\\.t",  "s\\032p"};
    static const std::vector<std::string> kNames = {
        "web.example.com",      "web.shop.orchion.internal",        "orchion.internal",
        "host.docker.internal", "tasks.many.shop.orchion.internal", "_80._tcp.web.shop.orchion.internal"};
    static const std::vector<std::string> kTypes = {"A", "AAAA", "A", "AAAA", "A", "AAAA", "ANY", "SRV", "PTR", "MX"};
    client::Question made{.name = below(4) == 0 ? kNames[below(kNames.size())] : kLabels[below(kLabels.size())]};
    while (below(2) == 0) made.name += "." + kLabels[below(kLabels.size())];
    if (below(3) == 0) made.name += ".orchion.internal";
    if (below(40) == 0) made.name = std::string(63, 'l') + "." + made.name;
    for (char& c : made.name) {
      if (c >= 'a' && c <= 'z' && below(6) == 0) c = static_cast<char>(c - 'a' + 'A');
    }
    made.type = kTypes[below(kTypes.size())];
    made.id = static_cast<std::uint16_t>(below(65536));
    if (below(3) == 0) made.edns_bytes = static_cast<std::uint16_t>(below(2000));
    made.dnssec_ok = below(4) == 0;
    return made;
  }

  // Perhaps with some of its bytes changed, cut, or more.
  Bytes message() {
    Bytes bytes = client::to_bytes(question());
    if (below(3) != 0) return bytes;
    for (std::size_t changes = 1 + below(3); changes > 0; --changes)
      bytes[below(below(2) == 0 ? 12 : bytes.size())] = static_cast<std::uint8_t>(below(256));
    if (below(8) == 0) bytes.resize(below(bytes.size() + 1));
    if (below(8) == 0) bytes.push_back(static_cast<std::uint8_t>(below(256)));
    return bytes;
  }

 private:
  std::mt19937 random_;
};

TEST(PlainQuery, SaysWhatLdnsSays) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Generator generator(seed);
  const RecordTable table = make_table();
  const std::vector<Address> askers = {at("10.0.0.9"), at("fd00::9"), at("10.1.0.9"), at("127.0.0.1")};
  int plain = 0;
  Bytes reply;
  for (int i = 0; i < 20000; ++i) {
    const Bytes message = generator.message();
    const Query query{message, askers[generator.below(askers.size())],
                      generator.below(4) == 0 ? Transport::kTcp : Transport::kUdp, generator.below(1000)};
    const auto action = handle_plainly(query, table, reply);
    if (!action) continue;
    ++plain;
    const Handled judged = handle_by_ldns(query, table);
    ASSERT_EQ(*action, judged.action) << client::describe(message);
    if (*action != Action::kReply) continue;
    ASSERT_EQ(client::describe(reply), client::describe(judged.reply)) << client::describe(message);
    ASSERT_EQ(reply.size(), judged.reply.size()) << "what fits must be the same";
  }
  EXPECT_GT(plain, 5000);
}

TEST(PlainQuery, LeavesWhatIsOddToLdns) {
  const RecordTable table = make_table();
  Bytes reply;
  const auto is_plain = [&](const Bytes& message) {
    return handle_plainly({message, at("10.0.0.9"), Transport::kUdp, 0}, table, reply).has_value();
  };
  const Bytes query = client::to_bytes({.name = "web", .edns_bytes = 1232});
  EXPECT_TRUE(is_plain(query));
  EXPECT_TRUE(is_plain(client::to_bytes({"example.com"})));
  EXPECT_FALSE(is_plain(client::to_bytes({"web", "ANY"})));
  EXPECT_FALSE(is_plain(client::to_bytes({"w@b"})));
  EXPECT_FALSE(is_plain(client::to_bytes({"."})));
  EXPECT_FALSE(is_plain({}));
  for (const std::size_t at : {2u, 4u, 7u, 9u, 11u}) {  // flags and counts
    Bytes odd = query;
    odd[at] ^= 0x80;
    EXPECT_FALSE(is_plain(odd)) << at;
  }
  Bytes longer = query;
  longer.push_back(0);
  EXPECT_FALSE(is_plain(longer));
}

}  // namespace
}  // namespace orchion::mesh::dns
