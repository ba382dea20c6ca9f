#pragma once

// What a running HAProxy has to be told so that its servers are those that are wanted. Pure.
// Source: https://docs.haproxy.org/2.6/management.html#9.3 ("add server", "del server", "set server",
// "show servers state")

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "mesh/ingress/haproxy_config.h"

namespace orchion::mesh::ingress {

struct RunningServer {
  ServerLine line;
  bool takes_requests = false;  // else it is in maintenance: it finishes those that it has

  bool operator==(const RunningServer&) const = default;
};

using RunningBackends = std::map<std::string, std::map<std::string, RunningServer>>;

// Reads the answer to "show servers state". kInternal where it isn't one.
base::Result<RunningBackends> parse_servers(std::string_view text);

// Commands in their order, one line each. Servers that aren't wanted are put into maintenance and deleted; one that
// still has connections refuses that, and is tried again when this is asked next. A server of another address than it
// should have goes first, and comes anew then. Backends that only one side knows are passed over.
std::vector<std::string> server_changes(const Backends& wanted, const RunningBackends& running);

}  // namespace orchion::mesh::ingress
