#pragma once

// One DNS message in, what to do about it out. Pure; knows nothing of sockets.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "mesh/dns/records.h"

namespace orchion::mesh::dns {

using Bytes = std::vector<std::uint8_t>;

enum class Transport { kUdp, kTcp };

struct Query {
  std::span<const std::uint8_t> message;
  std::string_view asker;  // IPv4
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

Handled handle_query(const Query& query, const RecordTable& records);

// A failure in answer to a query that handle_query() gave out as kForward; empty where it can't be read.
Bytes server_failure(std::span<const std::uint8_t> message);

// Whether `reply` answers the forwarded `query`: same question, and marked as an answer. Ids are not compared.
bool answers(std::span<const std::uint8_t> reply, std::span<const std::uint8_t> query);

}  // namespace orchion::mesh::dns
