#include "mesh/dns/relay.h"

#include <algorithm>
#include <limits>

namespace orchion::mesh::dns {
namespace {

namespace asio = boost::asio;

// What the asker takes: others' answers go through as they are.
std::size_t bytes_max(wire::View query, Transport transport) {
  if (transport == Transport::kTcp) return std::numeric_limits<std::size_t>::max();
  const auto plain = wire::read_plain_query(query);
  if (!plain || !plain->edns) return wire::kUdpBytesMin;
  return std::max<std::size_t>(plain->edns->udp_bytes, wire::kUdpBytesMin);
}

}  // namespace

std::optional<Bytes> Relay::find(wire::View query, Transport transport) {
  const auto key = question_key(query);
  return key ? cache_.find(*key, query, bytes_max(query, transport)) : std::nullopt;
}

asio::awaitable<Bytes> Relay::ask(Bytes query, Transport transport) {
  const auto key = question_key(query);
  if (!key) co_return co_await forwarder_.forward(std::move(query), transport);
  const auto place = std::pair(*key, bytes_max(query, transport));
  if (auto known = cache_.find(*key, query, place.second)) co_return std::move(*known);
  if (const auto found = under_way_.find(place); found != under_way_.end())
    co_return co_await wait_for(found->second, std::move(query));
  const auto shared = std::make_shared<UnderWay>(executor_);
  under_way_.emplace(place, shared);
  Bytes reply = co_await forwarder_.forward(std::move(query), transport);
  under_way_.erase(place);
  cache_.put(*key, reply);
  shared->reply = reply;
  shared->done.notify();
  co_return reply;
}

asio::awaitable<Bytes> Relay::wait_for(std::shared_ptr<UnderWay> shared, Bytes query) {
  while (!shared->reply) {
    const auto waited = co_await shared->done.wait();
    if (!waited) break;
  }
  if (!shared->reply) co_return server_failure(query);
  Bytes reply = *shared->reply;
  readdress(reply, query);
  co_return reply;
}

}  // namespace orchion::mesh::dns
