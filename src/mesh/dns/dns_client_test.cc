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

std::vector<std::string> texts(const ldns_rr_list* records) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(records); ++i) {
    char* text = ldns_rr2str(ldns_rr_list_rr(records, i));
    all.emplace_back(text);
    all.back().pop_back();  // the end of the line
    std::free(text);
  }
  return all;
}

void push(ldns_pkt* packet, ldns_pkt_section section, const std::vector<std::string>& records) {
  for (const auto& text : records) {
    ldns_rr* record = nullptr;
    if (ldns_rr_new_frm_str(&record, text.c_str(), 0, nullptr, nullptr) != LDNS_STATUS_OK)
      throw std::runtime_error("can't read the record " + text);
    ldns_pkt_push_rr(packet, section, record);
  }
}

}  // namespace

Bytes to_bytes(const Question& question) {
  ldns_rdf* name = ldns_dname_new_frm_str((question.name + ".").c_str());
  const ldns_rr_type type = ldns_get_rr_type_by_name(question.type.c_str());
  const Packet packet(ldns_pkt_query_new(name, type, LDNS_RR_CLASS_IN, LDNS_RD), ldns_pkt_free);
  ldns_pkt_set_id(packet.get(), question.id);
  if (question.edns_bytes > 0) ldns_pkt_set_edns_udp_size(packet.get(), question.edns_bytes);
  ldns_pkt_set_edns_do(packet.get(), question.dnssec_ok);
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
              .values = {},
              .authority = texts(ldns_pkt_authority(packet.get())),
              .additional = texts(ldns_pkt_additional(packet.get()))};
  const ldns_rr_list* answers = ldns_pkt_answer(packet.get());
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
    std::string value;
    for (std::size_t part = 0; part < ldns_rr_rd_count(ldns_rr_list_rr(answers, i)); ++part) {
      char* text = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(answers, i), part));
      value += (part > 0 ? " " : "") + std::string(text);
      std::free(text);
    }
    reply.values.push_back(std::move(value));
  }
  return reply;
}

std::string describe(const Bytes& bytes) {
  const Packet packet = read(bytes);
  if (!packet) return "";
  // Id and flags as they are; the rest as text.
  std::string all(bytes.begin(), bytes.begin() + 4);
  for (const auto* section : {ldns_pkt_question(packet.get()), ldns_pkt_answer(packet.get()),
                              ldns_pkt_authority(packet.get()), ldns_pkt_additional(packet.get())}) {
    all += "\n--";
    for (const auto& text : texts(section)) all += "\n" + text;
  }
  if (ldns_pkt_edns(packet.get())) {
    all += "\n-- EDNS " + std::to_string(ldns_pkt_edns_udp_size(packet.get())) + " " +
           std::to_string(ldns_pkt_edns_extended_rcode(packet.get())) + " " +
           std::to_string(ldns_pkt_edns_version(packet.get())) + " " + std::to_string(ldns_pkt_edns_z(packet.get()));
  }
  return all;
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

Bytes reply_of(const Bytes& query, const ReplyText& text) {
  const Packet packet = read(query);
  if (!packet) throw std::runtime_error("can't read the query");
  ldns_pkt_set_qr(packet.get(), true);
  ldns_pkt_set_rcode(packet.get(), static_cast<std::uint8_t>(text.rcode));
  push(packet.get(), LDNS_SECTION_ANSWER, text.answer);
  push(packet.get(), LDNS_SECTION_AUTHORITY, text.authority);
  push(packet.get(), LDNS_SECTION_ADDITIONAL, text.additional);
  return write(packet.get());
}

}  // namespace orchion::mesh::dns::client
