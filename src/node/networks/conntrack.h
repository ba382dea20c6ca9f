#pragma once

// The kernel's memory of connections. A datagram flow that was once led somewhere stays led there for as long as it
// goes on, whatever the rules say by then.

#include <set>
#include <string>

#include "base/error.h"

namespace orchion::node::networks {

// Forgets every translated datagram flow that one of these addresses (IPv4 or IPv6) answers: its next packet is led as
// the rules say now. In the calling thread's network namespace. Blocks.
base::Result<> end_datagram_flows(const std::set<std::string>& addresses);

}  // namespace orchion::node::networks
