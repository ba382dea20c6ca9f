#pragma once

// How slirp4netns is told which ports of the machine it leads into a namespace. Source: slirp4netns(1), "API SOCKET".

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "node/networks/ruleset.h"

namespace orchion::node::networks {

// One of its: `port.host_ip` is empty or 127.0.0.1.
struct Forward {
  std::int64_t id = 0;
  PortKey port;
};

// All of them block for as long as it takes to answer, five seconds at most.
base::Result<std::vector<Forward>> list_forwards(const std::filesystem::path& socket);
base::Result<> add_forward(const std::filesystem::path& socket, const PortKey& port);
base::Result<> remove_forward(const std::filesystem::path& socket, std::int64_t id);

}  // namespace orchion::node::networks
