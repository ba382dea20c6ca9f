#pragma once

// Questions that aren't ours, to the host's resolvers and back, byte for byte but for the id.

#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "mesh/dns/query.h"
#include "mesh/dns/upstreams.h"

namespace orchion::mesh::dns {

struct ForwarderOptions {
  base::Duration attempt_limit = std::chrono::seconds(2);  // for each resolver
  std::size_t in_flight_max = 256;
};

// One executor; not thread-safe.
class Forwarder {
 public:
  // `upstreams` is called for each question.
  Forwarder(std::function<std::vector<Upstream>()> upstreams, ForwarderOptions options)
      : upstreams_(std::move(upstreams)), options_(options) {}

  // The first resolver's answer, of those that answer in time, by the transport the question came by (by UDP where a
  // resolver speaks no TCP). Else, and where too many are under way, a server failure.
  boost::asio::awaitable<Bytes> forward(Bytes query, Transport transport);

 private:
  std::function<std::vector<Upstream>()> upstreams_;
  ForwarderOptions options_;
  std::size_t in_flight_ = 0;
};

}  // namespace orchion::mesh::dns
