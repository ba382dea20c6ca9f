#pragma once

// `orchion network`: one function a command, its options as plain values, as in commands.h.

#include <cstdint>
#include <string>
#include <vector>

#include "cli/context.h"
#include "core/network_names.h"

namespace orchion::cli {

// "shop/front", or "front" of the stack that find_stack() finds. kInvalidArgument where it is neither.
base::Result<core::NetworkName> find_network(Context& context, const std::string& word);

struct NetworkOptions {
  std::string name;  // STACK/NETWORK or NETWORK
  std::string subnet;
  std::string gateway;
  bool ipv6 = false;
  std::string subnet6;  // IPv6 is on with it
  bool internal = false;
  std::uint32_t mtu = 0;
  std::string driver = "bridge";
  std::string parent;
  std::string range;                // CIDR
  std::vector<std::string> labels;  // NAME=VALUE
};
int run_network_create(Context& context, const NetworkOptions& options);
int run_network_ls(Context& context);
int run_network_inspect(Context& context, const std::string& what);
int run_network_rm(Context& context, const std::vector<std::string>& what);

struct AttachmentOptions {
  std::string network;
  std::string service;
  std::vector<std::string> aliases;
  bool detach = false;  // don't wait until the service's tasks were replaced
  std::string timeout = "5m";
};
int run_network_connect(Context& context, const AttachmentOptions& options);
int run_network_disconnect(Context& context, const AttachmentOptions& options);

}  // namespace orchion::cli
