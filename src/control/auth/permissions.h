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

// "server:ID": who calls, where another server of the cluster does by its certificate.
std::string server_identity(const std::string& server);
bool is_server(std::string_view identity);

// "node:UID": who calls, where a node does by its certificate.
std::string node_identity(const std::string& node_uid);
bool is_node(std::string_view identity);

// A node speaks for itself alone; who isn't one and was let in as an agent (an administrator, the agent of the same
// process) for any. kPermissionDenied.
base::Result<> may_speak_for(const std::string& identity, const std::string& node_uid);

}  // namespace orchion::control::auth
