#pragma once

// How things are named, and how people write the names.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::core {

constexpr std::size_t kNameBytesMax = 63;

// A DNS label (RFC 1123): 1 to 63 of a-z, 0-9 and '-', neither first nor last a '-'. Names of stacks, services,
// networks, volumes and nodes are DNS labels, because they become parts of host names.
bool is_dns_label(std::string_view text);

// Labels joined by dots, 253 bytes at the most.
bool is_dns_name(std::string_view text);

// A DNS name that may hold '_' too: what programs ask for isn't always a host name by the rules.
bool is_host_alias(std::string_view text);

// "web.3.k4x7qa": `suffix` makes the name new for each task of the slot.
std::string task_name(std::string_view service, std::uint32_t slot, std::string_view suffix);

// "web.3": what a slot's newest task is called for short.
std::string slot_name(std::string_view service, std::uint32_t slot);

// "web.7": the service's template as of generation 7.
std::string revision_name(std::string_view service, std::uint64_t generation);

// The generation in a revision's name; nullopt where it isn't the name of one of this service's revisions.
std::optional<std::uint64_t> revision_generation(std::string_view service, std::string_view revision);

// What a person means by "shop/web.2", "shop/web" or, beside the file that names the stack, "web". Of a job the number
// is its run's, and a task of that run is "shop/encode.7.0".
struct Address {
  std::string stack;  // empty: not said
  std::string service;
  std::uint32_t slot = 0;                   // 0: all of the service
  std::optional<std::uint32_t> index = {};  // of a run's task

  bool operator==(const Address&) const = default;
};

// kInvalidArgument where `text` is none of the three forms.
base::Result<Address> parse_address(std::string_view text);
std::string format_address(const Address& address);

}  // namespace orchion::core
