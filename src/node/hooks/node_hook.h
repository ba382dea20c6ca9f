#pragma once

// A hook that the node's administrator gives to containers, as Podman and CRI-O read them.
// Source: https://github.com/containers/common/blob/main/pkg/hooks/docs/oci-hooks.5.md

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::hooks {

// Patterns are regular expressions in RE2's syntax, found anywhere in the text.
struct NodeHook {
  runtimes::Hook hook;  // without its stage
  std::vector<std::string> stages;
  // All that are set must hold.
  bool never = false;   // `always: false`
  bool always = false;  // nothing else has to be said
  bool has_bind_mounts = false;
  std::vector<std::pair<std::string, std::string>> annotations;  // of the name, of the value
  std::vector<std::string> commands;                             // one of them finds the program's name
};

// A file in the format of version 1.0.0. kInvalidArgument: what is wrong with it.
base::Result<NodeHook> parse_node_hook(std::string_view text);

// Whether the container is to have it.
bool matches(const NodeHook& hook, const runtimes::ContainerConfig& config);

}  // namespace orchion::node::hooks
