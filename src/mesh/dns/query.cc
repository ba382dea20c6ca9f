#include "mesh/dns/query.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/free_with.h"
#include "mesh/dns/plain_query.h"
#include "mesh/dns/reverse_name.h"

namespace orchion::mesh::dns {
namespace {

using Packet = std::unique_ptr<ldns_pkt, base::FreeWith<ldns_pkt_free>>;
using Text = std::unique_ptr<char, base::FreeWith<std::free>>;

Packet parse(wire::View message) {
  ldns_pkt* packet = nullptr;
  if (message.size() < wire::kHeaderBytes) return nullptr;
  if (ldns_wire2pkt(&packet, message.data(), message.size()) != LDNS_STATUS_OK) return nullptr;
  return Packet(packet);
}

// In lower case, without its final dot. Labels with dots or other odd bytes come out escaped, and are nobody's name.
std::string name_of(const ldns_rr* question) {
  const Text text(ldns_rdf2str(ldns_rr_owner(question)));
  std::string name = text ? text.get() : "";
  for (char& c : name) c = static_cast<char>(wire::fold(static_cast<std::uint8_t>(c)));
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
  if (ldns_pkt_edns(query)) {
    ldns_pkt_set_edns_udp_size(reply.get(), wire::kUdpBytesMax);
    ldns_pkt_set_edns_do(reply.get(), ldns_pkt_edns_do(query));
  }
  return reply;
}

Bytes to_wire(const ldns_pkt* packet) {
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&data, packet, &size) != LDNS_STATUS_OK) return {};
  const std::unique_ptr<std::uint8_t, base::FreeWith<std::free>> owner(data);
  return {data, data + size};
}

// What the asker can take by UDP.
std::size_t limit_of(const ldns_pkt* query) {
  if (!ldns_pkt_edns(query)) return wire::udp_limit(std::nullopt);
  return wire::udp_limit(wire::Edns{ldns_pkt_edns_udp_size(query), ldns_pkt_edns_do(query)});
}

// What fits: an answer that is longer says so instead, and is asked for again by TCP.
Bytes fitted(const ldns_pkt* query, Packet reply, Transport transport) {
  Bytes whole = to_wire(reply.get());
  if (transport == Transport::kTcp || whole.size() <= limit_of(query)) return whole;
  Packet cut = reply_to(query, ldns_pkt_get_rcode(reply.get()), ldns_pkt_aa(reply.get()));
  ldns_pkt_set_tc(cut.get(), true);
  return to_wire(cut.get());
}

// Takes the owner and the values; ldns frees them with the record.
ldns_rr* make_record(ldns_rdf* owner, ldns_rr_type type, std::uint32_t ttl, std::initializer_list<ldns_rdf*> values) {
  ldns_rr* record = ldns_rr_new();
  ldns_rr_set_owner(record, owner);
  ldns_rr_set_type(record, type);
  ldns_rr_set_class(record, LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(record, ttl);
  for (ldns_rdf* value : values) ldns_rr_push_rdf(record, value);
  return record;
}

ldns_rdf* owner_of(const ldns_rr* question) {
  return ldns_rdf_clone(ldns_rr_owner(question));
}

ldns_rr* make_address(ldns_rdf* owner, const Address& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    return make_record(owner, LDNS_RR_TYPE_A, kTtlSeconds,
                       {ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, bytes.size(), bytes.data())});
  }
  const auto bytes = address.to_v6().to_bytes();
  return make_record(owner, LDNS_RR_TYPE_AAAA, kTtlSeconds,
                     {ldns_rdf_new_frm_data(LDNS_RDF_TYPE_AAAA, bytes.size(), bytes.data())});
}

bool is_asked(const Address& address, ldns_rr_type type) {
  return type == LDNS_RR_TYPE_ANY || type == (address.is_v4() ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA);
}

void add_addresses(ldns_pkt* reply, const ldns_rr* question, std::vector<Address> addresses, std::size_t turn) {
  std::erase_if(addresses, [&](const Address& each) { return !is_asked(each, ldns_rr_get_type(question)); });
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const Address& address = addresses[(turn + i) % addresses.size()];
    ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, make_address(owner_of(question), address));
  }
}

// How long it holds that there is no answer.
void add_soa(ldns_pkt* reply, const ldns_rr* question) {
  const std::string name = name_of(question);
  const auto zone = [&] {
    return in_domain(name) ? ldns_dname_new_frm_str(std::string(kDomain).c_str()) : owner_of(question);
  };
  ldns_rr* soa =
      make_record(zone(), LDNS_RR_TYPE_SOA, kNegativeTtlSeconds, {zone(), ldns_dname_new_frm_str("nobody.invalid.")});
  for (const std::uint32_t number : kSoaNumbers)
    ldns_rr_push_rdf(soa, ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, number));
  ldns_pkt_push_rr(reply, LDNS_SECTION_AUTHORITY, soa);
}

Handled finish(const Query& query, const ldns_pkt* packet, Packet reply) {
  if (ldns_pkt_ancount(reply.get()) == 0) add_soa(reply.get(), ldns_rr_list_rr(ldns_pkt_question(packet), 0));
  return {Handled::Action::kReply, fitted(packet, std::move(reply), query.transport)};
}

Packet reply_about(const ldns_pkt* query, bool exists) {
  return reply_to(query, exists ? LDNS_RCODE_NOERROR : LDNS_RCODE_NXDOMAIN, true);
}

Handled answer_reverse(const Query& query, const ldns_pkt* packet, const ldns_rr* question,
                       const ReverseAnswer& found) {
  if (!found.authoritative) return {Handled::Action::kForward, {}};
  Packet reply = reply_about(packet, !found.name.empty());
  if (!found.name.empty()) {
    ldns_pkt_push_rr(
        reply.get(), LDNS_SECTION_ANSWER,
        make_record(owner_of(question), LDNS_RR_TYPE_PTR, kTtlSeconds, {ldns_dname_new_frm_str(found.name.c_str())}));
  }
  return finish(query, packet, std::move(reply));
}

void add_target(ldns_pkt* reply, const ldns_rr* question, const ServiceAnswer::Target& target) {
  const auto number = [](std::uint16_t value) { return ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, value); };
  ldns_pkt_push_rr(
      reply, LDNS_SECTION_ANSWER,
      make_record(owner_of(question), LDNS_RR_TYPE_SRV, kTtlSeconds,
                  {number(0), number(0), number(target.port), ldns_dname_new_frm_str(target.name.c_str())}));
}

// The addresses of the targets save the asker a second round; where they don't fit he does without.
Handled answer_services(const Query& query, const ldns_pkt* packet, const ldns_rr* question,
                        const RecordTable& records) {
  const ServiceAnswer found = records.find_services(query.asker, name_of(question));
  if (!found.authoritative) return {Handled::Action::kForward, {}};
  Packet reply = reply_about(packet, found.exists);
  for (const auto& target : found.targets) add_target(reply.get(), question, target);
  Packet with_addresses(ldns_pkt_clone(reply.get()));
  std::string_view last;
  for (const auto& target : found.targets) {
    if (std::exchange(last, target.name) == target.name) continue;
    for (const auto& address : target.addresses) {
      ldns_rr* record = make_address(ldns_dname_new_frm_str(target.name.c_str()), address);
      ldns_pkt_push_rr(with_addresses.get(), LDNS_SECTION_ADDITIONAL, record);
    }
  }
  const bool too_long = query.transport == Transport::kUdp && to_wire(with_addresses.get()).size() > limit_of(packet);
  return finish(query, packet, std::move(too_long ? reply : with_addresses));
}

Handled refuse(const Query& query, const ldns_pkt* packet, ldns_pkt_rcode code) {
  return {Handled::Action::kReply, fitted(packet, reply_to(packet, code, false), query.transport)};
}

// RFC 6891, 6.1.3.
Handled refuse_version(const Query& query, const ldns_pkt* packet) {
  constexpr std::uint8_t kBadVersion = 16 >> 4;
  Packet reply = reply_to(packet, LDNS_RCODE_NOERROR, false);
  ldns_pkt_set_edns_extended_rcode(reply.get(), kBadVersion);
  return {Handled::Action::kReply, fitted(packet, std::move(reply), query.transport)};
}

}  // namespace

std::string_view zone_of(std::string_view name) {
  return in_domain(name) ? kDomain : name;
}

Handled handle_query(const Query& query, const RecordTable& records) {
  Handled handled;
  const auto action = handle_plainly(query, records, handled.reply);
  if (!action) return handle_by_ldns(query, records);
  handled.action = *action;
  return handled;
}

Handled handle_by_ldns(const Query& query, const RecordTable& records) {
  if (!records.knows(query.asker)) return {};
  const Packet packet = parse(query.message);
  if (!packet || ldns_pkt_qr(packet.get())) return {};
  if (ldns_pkt_get_opcode(packet.get()) != LDNS_PACKET_QUERY) return refuse(query, packet.get(), LDNS_RCODE_NOTIMPL);
  if (ldns_pkt_qdcount(packet.get()) != 1) return refuse(query, packet.get(), LDNS_RCODE_FORMERR);
  if (ldns_pkt_edns(packet.get()) && ldns_pkt_edns_version(packet.get()) > 0)
    return refuse_version(query, packet.get());
  const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(packet.get()), 0);
  if (ldns_rr_get_class(question) != LDNS_RR_CLASS_IN) return refuse(query, packet.get(), LDNS_RCODE_REFUSED);
  const ldns_rr_type type = ldns_rr_get_type(question);
  const auto address = type == LDNS_RR_TYPE_PTR ? address_of_reverse_name(name_of(question)) : std::nullopt;
  if (address) return answer_reverse(query, packet.get(), question, records.reverse(query.asker, *address));
  if (type == LDNS_RR_TYPE_SRV) return answer_services(query, packet.get(), question, records);
  Answer found = records.find(query.asker, name_of(question));
  if (!found.authoritative) return {Handled::Action::kForward, {}};
  Packet reply = reply_about(packet.get(), found.exists);
  // Other types of a name that exists are an empty answer: resolvers then know that there is, say, no IPv6.
  add_addresses(reply.get(), question, std::move(found.addresses), query.turn);
  return finish(query, packet.get(), std::move(reply));
}

Bytes server_failure(wire::View message) {
  const Packet packet = parse(message);
  if (!packet) return {};
  return to_wire(reply_to(packet.get(), LDNS_RCODE_SERVFAIL, false).get());
}

bool answers(wire::View reply, wire::View query) {
  const std::size_t end = wire::question_end(query);
  if (end == 0 || reply.size() < end || (wire::read16(reply, 2) & wire::kReplyFlag) == 0) return false;
  const auto asked = query.subspan(wire::kHeaderBytes, end - wire::kHeaderBytes);
  return std::equal(asked.begin(), asked.end(), reply.begin() + wire::kHeaderBytes,
                    [](auto a, auto b) { return wire::fold(a) == wire::fold(b); });
}

}  // namespace orchion::mesh::dns
