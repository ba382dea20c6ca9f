#pragma once

// One DNS message in, what to do about it out. Pure; knows nothing of sockets.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mesh/dns/records.h"
#include "mesh/dns/wire.h"

namespace orchion::mesh::dns {

enum class Transport { kUdp, kTcp };

struct Query {
  wire::View message;
  Address asker;
  Transport transport = Transport::kUdp;
  std::size_t turn = 0;  // addresses are given in a ring that begins here: askers spread over a service's tasks
};

struct Handled {
  enum class Action {
    kDrop,  // not a query, or from nobody we know: no answer
    kReply,
    kForward,  // not ours: `message` goes to the host's resolvers as it is
  };
  Action action = Action::kDrop;
  Bytes reply;
};

// Addresses are said to hold for this long: a task that moved is found again soon.
inline constexpr std::uint32_t kTtlSeconds = 2;

// That a name, or an address of its kind, isn't there holds for this long, by an SOA record in the authority section
// (RFC 2308): a task that is waited for is found soon after it serves.
inline constexpr std::uint32_t kNegativeTtlSeconds = 1;
inline constexpr std::array<std::uint32_t, 5> kSoaNumbers = {1, 2, 2, 2,
                                                             kNegativeTtlSeconds};  // from serial to minimum

// Whose end the zone is that answers for this name of ours: our domain, or the name itself.
std::string_view zone_of(std::string_view name);

Handled handle_query(const Query& query, const RecordTable& records);

// The same without the short way: the judge of it.
Handled handle_by_ldns(const Query& query, const RecordTable& records);

// A failure in answer to a query that handle_query() gave out as kForward; empty where it can't be read.
Bytes server_failure(wire::View message);

// Whether `reply` answers the forwarded `query`: same question, and marked as an answer. Ids are not compared.
bool answers(wire::View reply, wire::View query);

}  // namespace orchion::mesh::dns
