#include "control/auth/permissions.h"

#include <algorithm>

#include <fmt/format.h>

namespace orchion::control::auth {
namespace {

using base::Code;
using base::fail;

bool holds(const Identity& identity, std::string_view permission) {
  return std::ranges::find(identity.permissions, permission) != identity.permissions.end();
}

constexpr std::string_view kNodePrefix = "node:";
constexpr std::string_view kServerPrefix = "server:";

}  // namespace

base::Result<> allowed(const Identity& identity, std::string_view permission) {
  if (permission == "public") return {};
  // An rpc that declares none is open to nobody.
  if (permission.empty()) {
    return fail(Code::kPermissionDenied, "this call declares no permission, so nobody may make it; please report that");
  }
  if (identity.kind == Identity::Kind::kNobody) {
    return fail(
        Code::kUnauthenticated,
        "this call needs a token; send one as \"Authorization: Bearer TOKEN\" (the administrator's is in the file "
        "admin-token of the server's data folder)");
  }
  if (holds(identity, "*") || holds(identity, permission)) return {};
  if (permission == "agent" && identity.kind == Identity::Kind::kNode) return {};
  return fail(Code::kPermissionDenied,
              fmt::format("{} lacks the permission \"{}\"; use a token that has it, or ask the administrator",
                          identity.name, permission));
}

std::string server_identity(const std::string& server) {
  return std::string(kServerPrefix) + server;
}

bool is_server(std::string_view identity) {
  return identity.starts_with(kServerPrefix);
}

std::string node_identity(const std::string& node_uid) {
  return std::string(kNodePrefix) + node_uid;
}

bool is_node(std::string_view identity) {
  return identity.starts_with(kNodePrefix);
}

base::Result<> may_speak_for(const std::string& identity, const std::string& node_uid) {
  if (!is_node(identity) || identity == node_identity(node_uid)) return {};
  return fail(Code::kPermissionDenied, "a node may speak for itself only: its certificate is another node's");
}

}  // namespace orchion::control::auth
