#pragma once

// "4.3.2.1.in-addr.arpa" and its like for IPv6 (RFC 3596, 2.5). Pure.

#include <optional>
#include <string_view>

#include "mesh/dns/records.h"

namespace orchion::mesh::dns {

// `name` in lower case, without its final dot. nullopt: it isn't the name of one address.
std::optional<Address> address_of_reverse_name(std::string_view name);

}  // namespace orchion::mesh::dns
