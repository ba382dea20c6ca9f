#pragma once

// Who may do what: the one place where that is decided. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::control::auth {

struct Identity {
  enum class Kind { kNobody, kUser, kNode };

  Kind kind = Kind::kNobody;
  std::string name;                      // "admin"; a node's name; empty: nobody
  std::vector<std::string> permissions;  // as on the rpcs, or "*" for all

  bool operator==(const Identity&) const = default;
};

// `permission` is what the rpc declares. "public" is open to everybody, "agent" to nodes and to who may do everything.
// kPermissionDenied names the permission that is missing; kUnauthenticated: nobody was identified.
base::Result<> allowed(const Identity& identity, std::string_view permission);

}  // namespace orchion::control::auth
