#pragma once

#include <span>
#include <string_view>

namespace orchion::control::servers {

// By their full names: those that need a node's session, or files of the server that leads. The rest reads and writes
// the store, as any server can.
std::span<const std::string_view> leader_methods();

}  // namespace orchion::control::servers
