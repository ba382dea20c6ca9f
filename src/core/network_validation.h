#pragma once

// What may be said of a network. Pointers begin at `at`, as in validation.h.

#include <string>

#include "core/validation.h"
#include "v1/specs.pb.h"

namespace orchion::core {

// The fewest bytes of a packet that IPv4 and IPv6 have to carry (RFC 791, RFC 8200), and the most that a length holds.
constexpr std::uint32_t kMtuMin = 576;
constexpr std::uint32_t kMtuMinIpv6 = 1280;
constexpr std::uint32_t kMtuMax = 65535;

// One network without what stands around it: "/spec/networks/0/spec".
void check_network(const v1::NetworkSpec& spec, const std::string& at, Violations& violations);

// Each of a stack's networks, and that their subnets lie apart. Names are the caller's.
void check_networks(const v1::StackSpec& spec, Violations& violations);

// What a container of `stack` joins: a name, or "STACK/NETWORK" of two; and its further names there.
void check_attachment(const v1::NetworkAttachment& attachment, const std::string& at, Violations& violations);
void check_aliases(const google::protobuf::RepeatedPtrField<std::string>& aliases, const std::string& at,
                   Violations& violations);

}  // namespace orchion::core
