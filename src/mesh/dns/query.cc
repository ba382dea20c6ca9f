#include "mesh/dns/query.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "base/free_with.h"

namespace orchion::mesh::dns {
namespace {

// RFC 1035, 4.1.1.
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kUdpBytesMin = 512;

// What fits one unfragmented packet on any path; https://www.dnsflagday.net/2020/
constexpr std::size_t kUdpBytesMax = 1232;

using Packet = std::unique_ptr<ldns_pkt, base::FreeWith<ldns_pkt_free>>;
using Text = std::unique_ptr<char, base::FreeWith<std::free>>;

Packet parse(std::span<const std::uint8_t> message) {
  ldns_pkt* packet = nullptr;
  if (message.size() < kHeaderBytes) return nullptr;
  if (ldns_wire2pkt(&packet, message.data(), message.size()) != LDNS_STATUS_OK) return nullptr;
  return Packet(packet);
}

// Without its final dot. Labels with dots or other odd bytes come out escaped, and are nobody's name.
std::string name_of(const ldns_rr* question) {
  const Text text(ldns_rdf2str(ldns_rr_owner(question)));
  std::string name = text ? text.get() : "";
  if (name.ends_with('.')) name.pop_back();
  return name;
}

Packet reply_to(const ldns_pkt* query, ldns_pkt_rcode code, bool authoritative) {
  Packet reply(ldns_pkt_new());
  ldns_pkt_set_id(reply.get(), ldns_pkt_id(query));
  ldns_pkt_set_opcode(reply.get(), ldns_pkt_get_opcode(query));
  ldns_pkt_set_qr(reply.get(), true);
  ldns_pkt_set_rd(reply.get(), ldns_pkt_rd(query));
  ldns_pkt_set_ra(reply.get(), true);
  ldns_pkt_set_aa(reply.get(), authoritative);
  ldns_pkt_set_rcode(reply.get(), code);
  if (const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(query), 0)) {
    ldns_pkt_push_rr(reply.get(), LDNS_SECTION_QUESTION, ldns_rr_clone(question));
  }
  if (ldns_pkt_edns(query)) ldns_pkt_set_edns_udp_size(reply.get(), kUdpBytesMax);
  return reply;
}

Bytes to_wire(const ldns_pkt* packet) {
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&data, packet, &size) != LDNS_STATUS_OK) return {};
  const std::unique_ptr<std::uint8_t, base::FreeWith<std::free>> owner(data);
  return {data, data + size};
}

// What the asker can take: an answer that is longer says so instead, and is asked for again by TCP.
Bytes fitted(const ldns_pkt* query, Packet reply, Transport transport) {
  Bytes wire = to_wire(reply.get());
  if (transport == Transport::kTcp) return wire;
  std::size_t limit = kUdpBytesMin;
  if (ldns_pkt_edns(query)) limit = std::clamp<std::size_t>(ldns_pkt_edns_udp_size(query), kUdpBytesMin, kUdpBytesMax);
  if (wire.size() <= limit) return wire;
  Packet cut = reply_to(query, ldns_pkt_get_rcode(reply.get()), ldns_pkt_aa(reply.get()));
  ldns_pkt_set_tc(cut.get(), true);
  return to_wire(cut.get());
}

// Takes the value; ldns frees it with the packet.
void add_answer(ldns_pkt* reply, const ldns_rr* question, ldns_rr_type type, ldns_rdf* value) {
  ldns_rr* answer = ldns_rr_new();
  ldns_rr_set_owner(answer, ldns_rdf_clone(ldns_rr_owner(question)));
  ldns_rr_set_type(answer, type);
  ldns_rr_set_class(answer, LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(answer, kTtlSeconds);
  ldns_rr_push_rdf(answer, value);
  ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, answer);
}

void add_addresses(ldns_pkt* reply, const ldns_rr* question, const std::vector<std::string>& addresses,
                   std::size_t turn) {
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    ldns_rdf* value = ldns_rdf_new_frm_str(LDNS_RDF_TYPE_A, addresses[(turn + i) % addresses.size()].c_str());
    if (value != nullptr) add_answer(reply, question, LDNS_RR_TYPE_A, value);
  }
}

// "4.3.2.1.in-addr.arpa" to "1.2.3.4".
std::optional<std::string> reversed_address(std::string_view name) {
  constexpr std::string_view kSuffix = ".in-addr.arpa";
  if (name.size() <= kSuffix.size()) return std::nullopt;
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  const std::string_view end = name.substr(name.size() - kSuffix.size());
  if (!std::equal(end.begin(), end.end(), kSuffix.begin(), same)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  std::string address;
  while (!name.empty()) {
    const auto dot = name.rfind('.');
    const auto label = dot == std::string_view::npos ? name : name.substr(dot + 1);
    address += (address.empty() ? "" : ".") + std::string(label);
    name = dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot);
  }
  return address;
}

Handled answer_reverse(const Query& query, const ldns_pkt* packet, const ldns_rr* question,
                       const RecordTable& records) {
  const auto address = reversed_address(name_of(question));
  const auto name = address ? records.reverse(query.asker, *address) : std::nullopt;
  if (!name) return {Handled::Action::kForward, {}};
  Packet reply = reply_to(packet, LDNS_RCODE_NOERROR, true);
  if (ldns_rdf* value = ldns_dname_new_frm_str(name->c_str())) {
    add_answer(reply.get(), question, LDNS_RR_TYPE_PTR, value);
  }
  return {Handled::Action::kReply, fitted(packet, std::move(reply), query.transport)};
}

Handled refuse(const Query& query, const ldns_pkt* packet, ldns_pkt_rcode code) {
  return {Handled::Action::kReply, fitted(packet, reply_to(packet, code, false), query.transport)};
}

// Where the question ends; 0 where the message has none that is plain.
std::size_t question_end(std::span<const std::uint8_t> message) {
  std::size_t at = kHeaderBytes;
  while (at < message.size() && message[at] != 0) {
    if (message[at] > 63) return 0;
    at += std::size_t{1} + message[at];
  }
  at += 5;  // the root label, type, class
  return at <= message.size() ? at : 0;
}

}  // namespace

Handled handle_query(const Query& query, const RecordTable& records) {
  if (!records.knows(query.asker)) return {};
  const Packet packet = parse(query.message);
  if (!packet || ldns_pkt_qr(packet.get())) return {};
  if (ldns_pkt_get_opcode(packet.get()) != LDNS_PACKET_QUERY) return refuse(query, packet.get(), LDNS_RCODE_NOTIMPL);
  if (ldns_pkt_qdcount(packet.get()) != 1) return refuse(query, packet.get(), LDNS_RCODE_FORMERR);
  const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(packet.get()), 0);
  if (ldns_rr_get_class(question) != LDNS_RR_CLASS_IN) return refuse(query, packet.get(), LDNS_RCODE_REFUSED);
  const ldns_rr_type type = ldns_rr_get_type(question);
  if (type == LDNS_RR_TYPE_PTR) return answer_reverse(query, packet.get(), question, records);
  const Answer found = records.find(query.asker, name_of(question));
  if (!found.authoritative) return {Handled::Action::kForward, {}};
  Packet reply = reply_to(packet.get(), found.exists ? LDNS_RCODE_NOERROR : LDNS_RCODE_NXDOMAIN, true);
  // Other types of a name that exists are an empty answer: resolvers then know that there is, say, no IPv6.
  if (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_ANY) {
    add_addresses(reply.get(), question, found.addresses, query.turn);
  }
  return {Handled::Action::kReply, fitted(packet.get(), std::move(reply), query.transport)};
}

Bytes server_failure(std::span<const std::uint8_t> message) {
  const Packet packet = parse(message);
  if (!packet) return {};
  return to_wire(reply_to(packet.get(), LDNS_RCODE_SERVFAIL, false).get());
}

bool answers(std::span<const std::uint8_t> reply, std::span<const std::uint8_t> query) {
  constexpr std::uint8_t kAnswerBit = 0x80;
  const std::size_t end = question_end(query);
  if (end == 0 || reply.size() < end || (reply[2] & kAnswerBit) == 0) return false;
  const auto fold = [](std::uint8_t c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; };
  return std::equal(query.begin() + kHeaderBytes, query.begin() + static_cast<std::ptrdiff_t>(end),
                    reply.begin() + kHeaderBytes, [&](auto a, auto b) { return fold(a) == fold(b); });
}

}  // namespace orchion::mesh::dns
