#pragma once

#include <cstdint>
#include <string>

#include "base/co.h"

namespace orchion::node::agent {

// Where the node's DNS server listens: on the gateway of each network here. One executor.
class Resolver {
 public:
  virtual ~Resolver() = default;

  // Repeating it is no error.
  virtual base::Co<> add_address(std::string address) = 0;
  virtual void remove_address(const std::string& address) = 0;

  // The port queries are led to from port 53; 0: nothing needs to be led.
  virtual std::uint16_t port() const = 0;
};

}  // namespace orchion::node::agent
