#pragma once

#include "mesh/dns/dns_server.h"
#include "node/agent/resolver.h"

namespace orchion::node::agent {

// The resolver that containers really ask. `server` must outlive it.
class DnsResolver final : public Resolver {
 public:
  explicit DnsResolver(mesh::dns::DnsServer& server) : server_(server) {}

  base::Result<> add_address(const std::string& address) override { return server_.add_address(address); }
  void remove_address(const std::string& address) override { server_.remove_address(address); }
  std::uint16_t port() const override { return server_.port(); }

 private:
  mesh::dns::DnsServer& server_;
};

}  // namespace orchion::node::agent
