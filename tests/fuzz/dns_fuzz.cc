// Any bytes as a query, and as an upstream's answer to one: no crash; a reply that is itself a message with the query's
// id; the short way says what ldns says; a kept answer is the one that came, older.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "mesh/dns/answer_cache.h"
#include "mesh/dns/dns_client.h"
#include "mesh/dns/plain_query.h"

namespace {

namespace dns = orchion::mesh::dns;
using dns::Bytes;
using dns::Handled;
using dns::RecordTable;
using dns::Transport;

const RecordTable& table() {
  static const RecordTable filled = [] {
    RecordTable records;
    records.put_network("blue", {"10.0.0.1", "fd00::1", "10.0.0.0/16", "fd00::/64"});
    records.put_local({"asker", "blue", "10.0.0.2", "shop", "fd00::2"});
    for (std::uint32_t slot = 1; slot <= 200; ++slot) {
      const auto number = std::to_string(slot);
      records.put({"task" + number, "blue", "10.0.1." + number, "shop", "web", slot, {"www"}, "fd00::1:" + number});
    }
    records.put({"api", "blue", "10.0.2.1", "shop", "api", 1, {"front"}, "fd00::2:1", "10.0.2.9", "", false, {{80}}});
    return records;
  }();
  return filled;
}

const dns::Address kAsker = boost::asio::ip::make_address("10.0.0.2");

void expect(bool holds) {
  if (!holds) std::abort();
}

void check_reply(dns::wire::View message, Transport transport) {
  const Handled handled = handle_query({message, kAsker, transport, 0}, table());
  const Bytes failure = dns::server_failure(message);
  if (handled.action == Handled::Action::kDrop) return;
  const Bytes& reply = handled.action == Handled::Action::kReply ? handled.reply : failure;
  if (reply.empty()) return;
  expect(reply.size() >= 12);
  expect(reply[0] == message[0] && reply[1] == message[1]);
  expect(transport == Transport::kTcp || handled.action == Handled::Action::kForward || reply.size() <= 1232);
  dns::answers(reply, message);
}

void check_short_way(dns::wire::View message, Transport transport) {
  const dns::Query query{message, kAsker, transport, message.size()};
  Bytes reply;
  const auto action = handle_plainly(query, table(), reply);
  if (!action) return;
  const Handled judged = handle_by_ldns(query, table());
  expect(*action == judged.action);
  expect(dns::client::describe(reply) == dns::client::describe(judged.reply));
}

// Of a kept answer only the id, the name's letters and the TTLs may differ.
void check_kept(dns::wire::View query, const Bytes& answer) {
  const auto key = dns::question_key(query);
  dns::addresses_in(answer);
  if (!key || !dns::answers(answer, query)) return;
  orchion::base::ManualClock clock;
  dns::AnswerCache cache(clock, {});
  cache.put(*key, answer);
  clock.advance(std::chrono::milliseconds(500));
  auto kept = cache.find(*key, query, 65535);
  expect(kept.has_value() == dns::lifetime_of(answer).has_value());
  if (!kept) return;
  expect(kept->size() == answer.size() && dns::answers(*kept, query));
  expect((*kept)[0] == query[0] && (*kept)[1] == query[1]);
  clock.advance(std::chrono::hours(1));
  expect(!cache.find(*key, query, 65535) && cache.bytes() == 0);
}

// The input as what comes after the question of an answer.
void check_answer(dns::wire::View data) {
  static const Bytes question = dns::client::to_bytes({"example.com"});
  check_kept(question, {data.begin(), data.end()});
  if (data.size() < 10) return;
  Bytes answer = question;
  std::copy_n(data.begin(), 10, answer.begin() + 2);  // from the flags on
  answer[2] |= 0x80;
  answer[4] = 0;
  answer[5] = 1;
  answer.insert(answer.end(), data.begin() + 10, data.end());
  check_kept(question, answer);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span message(data, size);
  for (const Transport transport : {Transport::kUdp, Transport::kTcp}) {
    check_reply(message, transport);
    check_short_way(message, transport);
  }
  check_answer(message);
  return 0;
}
