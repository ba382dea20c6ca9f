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
  bool dnssec_ok = false;
};
Bytes to_bytes(const Question& question);

struct Reply {
  int rcode = -1;  // -1: no message
  std::uint16_t id = 0;
  bool authoritative = false;
  bool truncated = false;
  bool edns = false;
  std::vector<std::string> values;     // of the answer section, as a zone file has them
  std::vector<std::string> authority;  // whole records
  std::vector<std::string> additional;
};
Reply from_bytes(const Bytes& bytes);

// All that a message says, whatever its bytes: two that say the same are equal. Empty: it can't be read.
std::string describe(const Bytes& bytes);

// A reply to `query` with one A record, as a resolver elsewhere would make it.
Bytes reply_bytes(const Bytes& query, const std::string& address, bool truncated = false);

// A reply with these records, as a zone file has them.
struct ReplyText {
  int rcode = 0;
  std::vector<std::string> answer;
  std::vector<std::string> authority = {};
  std::vector<std::string> additional = {};
};
Bytes reply_of(const Bytes& query, const ReplyText& text);

}  // namespace orchion::mesh::dns::client
