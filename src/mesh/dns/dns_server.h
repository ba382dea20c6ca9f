#pragma once

// The containers' resolver.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/co.h"
#include "base/file.h"
#include "mesh/dns/answer_cache.h"
#include "mesh/dns/records.h"

namespace orchion::mesh::dns {

struct DnsServerOptions {
  // Where it listens from the start, IPv4. Never an address that others than containers reach: the network's gateways
  // are added one by one.
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: one that is free for UDP and TCP

  // A new IPv4 socket of that type, not blocking, for it to listen on; empty: from this process's own network, which
  // upstreams are asked from in any case.
  std::function<base::Result<base::UniqueFd>(int type)> make_socket;

  // "ADDRESS" or "ADDRESS:PORT" (IPv4); empty: those of /etc/resolv.conf, whenever it changes.
  std::vector<std::string> upstreams;
  base::Duration upstream_limit = std::chrono::seconds(2);  // for each of them, before the next is asked
  std::size_t forwards_max = 256;                           // at once; more are told of a server failure
  std::size_t waiting_max = 1024;  // datagrams at once that wait for such an answer; more are told of a failure too
  std::size_t connections_max = 256;
  AnswerCacheOptions cache;  // of the upstreams' answers

  // Told of each successful answer of theirs to a question for A or AAAA, kept ones too, before it leaves: who asks,
  // the question's name in lower case, the addresses in it, and how long they hold. What it gives back is awaited
  // first, for a second at most, so that, say, a firewall knows an address before its user; whether it succeeds is its
  // own affair. What it is called with is there for the call alone.
  std::function<std::optional<base::Co<>>(std::string_view asker, std::string_view name,
                                          std::span<const std::string> addresses, std::chrono::seconds ttl)>
      on_forwarded;
};

// Answers by UDP and TCP, from what `records` says at that moment, and only askers that it knows: to others it is
// silent. Authoritative for what RecordTable has; all else goes to the upstreams. One executor, which `records` is
// changed on too; not thread-safe. `clock` and `records` must outlive it. Destroying it closes everything.
class DnsServer {
 public:
  DnsServer(base::Executor executor, base::Clock& clock, const RecordTable& records, DnsServerOptions options);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  // Before anything else. kFailedPrecondition: the address can't be had.
  base::Result<> start();

  // The same for every address; 0 before start().
  std::uint16_t port() const;

  // A gateway, IPv4, which needn't be up yet. Twice is no error. Tasks with IPv6 ask by IPv4, too.
  base::Result<> add_address(const std::string& address);
  void remove_address(const std::string& address);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::mesh::dns
