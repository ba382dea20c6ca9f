// Any bytes as a query: no crash, and a reply that is itself a message with the query's id.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "mesh/dns/query.h"

namespace {

using orchion::mesh::dns::Bytes;
using orchion::mesh::dns::Handled;
using orchion::mesh::dns::RecordTable;
using orchion::mesh::dns::Transport;

const RecordTable& table() {
  static const RecordTable filled = [] {
    RecordTable records;
    records.put_network("blue", "10.0.0.1");
    records.put_local("asker", "blue", "10.0.0.2", "shop");
    for (std::uint32_t slot = 1; slot <= 200; ++slot) {
      records.put(
          {"task" + std::to_string(slot), "blue", "10.0.1." + std::to_string(slot), "shop", "web", slot, {"www"}});
    }
    return records;
  }();
  return filled;
}

void expect(bool holds) {
  if (!holds) std::abort();
}

void check(std::span<const std::uint8_t> message, Transport transport) {
  const Handled handled = handle_query({message, "10.0.0.2", transport, 0}, table());
  const Bytes failure = orchion::mesh::dns::server_failure(message);
  if (handled.action == Handled::Action::kDrop) return;
  const Bytes& reply = handled.action == Handled::Action::kReply ? handled.reply : failure;
  if (reply.empty()) return;
  expect(reply.size() >= 12);
  expect(reply[0] == message[0] && reply[1] == message[1]);
  expect(transport == Transport::kTcp || handled.action == Handled::Action::kForward || reply.size() <= 1232);
  orchion::mesh::dns::answers(reply, message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span message(data, size);
  check(message, Transport::kUdp);
  check(message, Transport::kTcp);
  return 0;
}
