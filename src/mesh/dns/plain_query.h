#pragma once

// The short way from a query's bytes to its reply's, for what is asked nearly always: A and AAAA of an ordinary name.
// Says what handle_query() would say by ldns, or nothing; a test holds the two together. Pure.

#include "mesh/dns/query.h"

namespace orchion::mesh::dns {

// nullopt: not that plain. With kReply the message is in `reply`, whose memory is used again.
std::optional<Handled::Action> handle_plainly(const Query& query, const RecordTable& records, Bytes& reply);

}  // namespace orchion::mesh::dns
