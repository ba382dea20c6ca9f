#pragma once

// For tests: questions and answers made and read with ldns.

#include <string>
#include <vector>

#include "mesh/dns/query.h"

namespace orchion::mesh::dns::client {

struct Question {
  std::string name;
  std::string type = "A";
  std::uint16_t id = 4711;
  std::uint16_t edns_bytes = 0;  // 0: without
};
Bytes to_bytes(const Question& question);

struct Reply {
  int rcode = -1;  // -1: no message
  std::uint16_t id = 0;
  bool authoritative = false;
  bool truncated = false;
  bool edns = false;
  std::vector<std::string> values;  // of the answer section, as a zone file has them
};
Reply from_bytes(const Bytes& bytes);

// A reply to `query` with one A record, as a resolver elsewhere would make it.
Bytes reply_bytes(const Bytes& query, const std::string& address, bool truncated = false);

}  // namespace orchion::mesh::dns::client
