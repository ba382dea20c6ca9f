#pragma once

// The way of a forwarded question: what is known already, what is being asked already, or a question of its own.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/notifier.h"
#include "mesh/dns/answer_cache.h"
#include "mesh/dns/forwarder.h"

namespace orchion::mesh::dns {

// One executor; not thread-safe.
class Relay {
 public:
  Relay(base::Executor executor, base::Clock& clock, Forwarder forwarder, AnswerCacheOptions cache)
      : executor_(std::move(executor)), forwarder_(std::move(forwarder)), cache_(clock, cache) {}

  // At once, or nothing.
  std::optional<Bytes> find(wire::View query, Transport transport);

  // As Forwarder::forward(). What others ask at the same time is asked once.
  boost::asio::awaitable<Bytes> ask(Bytes query, Transport transport);

 private:
  struct UnderWay {
    explicit UnderWay(base::Executor executor) : done(std::move(executor)) {}
    base::Notifier done;
    std::optional<Bytes> reply;
  };

  boost::asio::awaitable<Bytes> wait_for(std::shared_ptr<UnderWay> shared, Bytes query);

  base::Executor executor_;
  Forwarder forwarder_;
  AnswerCache cache_;
  std::map<std::pair<std::string, std::size_t>, std::shared_ptr<UnderWay>> under_way_;  // by key and what fits
};

}  // namespace orchion::mesh::dns
