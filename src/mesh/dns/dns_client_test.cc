// The little client that the tests beside this file use.

#include "mesh/dns/dns_client.h"

#include <ldns/ldns.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace orchion::mesh::dns::client {
namespace {

using Packet = std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)>;

Packet read(const Bytes& bytes) {
  ldns_pkt* packet = nullptr;
  if (ldns_wire2pkt(&packet, bytes.data(), bytes.size()) != LDNS_STATUS_OK) packet = nullptr;
  return Packet(packet, ldns_pkt_free);
}

Bytes write(const ldns_pkt* packet) {
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&data, packet, &size) != LDNS_STATUS_OK) throw std::runtime_error("can't write a message");
  Bytes bytes(data, data + size);
  std::free(data);
  return bytes;
}

}  // namespace

Bytes to_bytes(const Question& question) {
  ldns_rdf* name = ldns_dname_new_frm_str((question.name + ".").c_str());
  const ldns_rr_type type = ldns_get_rr_type_by_name(question.type.c_str());
  const Packet packet(ldns_pkt_query_new(name, type, LDNS_RR_CLASS_IN, LDNS_RD), ldns_pkt_free);
  ldns_pkt_set_id(packet.get(), question.id);
  if (question.edns_bytes > 0) ldns_pkt_set_edns_udp_size(packet.get(), question.edns_bytes);
  return write(packet.get());
}

Reply from_bytes(const Bytes& bytes) {
  const Packet packet = read(bytes);
  if (!packet) return {};
  Reply reply{.rcode = ldns_pkt_get_rcode(packet.get()),
              .id = ldns_pkt_id(packet.get()),
              .authoritative = ldns_pkt_aa(packet.get()),
              .truncated = ldns_pkt_tc(packet.get()),
              .edns = ldns_pkt_edns(packet.get()),
              .values = {}};
  const ldns_rr_list* answers = ldns_pkt_answer(packet.get());
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
    char* text = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(answers, i), 0));
    reply.values.emplace_back(text);
    std::free(text);
  }
  return reply;
}

Bytes reply_bytes(const Bytes& query, const std::string& address, bool truncated) {
  const Packet packet = read(query);
  if (!packet) throw std::runtime_error("can't read the query");
  ldns_pkt_set_qr(packet.get(), true);
  ldns_pkt_set_tc(packet.get(), truncated);
  ldns_rr* answer = ldns_rr_new();
  ldns_rr_set_owner(answer, ldns_rdf_clone(ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(packet.get()), 0))));
  ldns_rr_set_type(answer, LDNS_RR_TYPE_A);
  ldns_rr_set_class(answer, LDNS_RR_CLASS_IN);
  ldns_rr_push_rdf(answer, ldns_rdf_new_frm_str(LDNS_RDF_TYPE_A, address.c_str()));
  ldns_pkt_push_rr(packet.get(), LDNS_SECTION_ANSWER, answer);
  return write(packet.get());
}

}  // namespace orchion::mesh::dns::client
