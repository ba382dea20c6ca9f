#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace orchion::node::networks {

// What others must know of this machine's end of the encrypted ways, and how it is changed. Thread-safe; blocks. Keys
// are public ones, base64; private ones never leave the machine.
class MeshKeys {
 public:
  virtual ~MeshKeys() = default;
  virtual std::string engine() const = 0;  // as NodeMesh.engine
  virtual std::uint16_t port() const = 0;  // UDP

  // The one in use, and when it was made.
  virtual std::string public_key() const = 0;
  virtual base::Result<base::WallTime> made_at() const = 0;

  // Makes the one that comes next, durably; others may be told of it. What is in use stays.
  virtual base::Result<std::string> make_next() = 0;

  // From now on it is in use: when all others may have heard of it.
  virtual base::Result<> use_next() = 0;
};

}  // namespace orchion::node::networks
