#pragma once

// How a service says which network it joins: "NETWORK" of its own stack, or "STACK/NETWORK" of another.

#include <string>
#include <string_view>

#include "v1/specs.pb.h"

namespace orchion::core {

struct NetworkName {
  std::string stack;
  std::string name;

  std::string text() const { return stack + "/" + name; }
  bool operator==(const NetworkName&) const = default;
};

// The network that an attachment in a manifest of `stack` means. Total: nothing is checked.
NetworkName network_of(std::string_view stack, std::string_view attachment);

// What an attachment in a manifest of `stack` calls that network.
std::string attachment_name(std::string_view stack, const NetworkName& network);

// Has attachments and routes call networks of `stack` itself by their name alone.
void shorten_own_networks(std::string_view stack, v1::StackSpec& spec);

// Whether the container is in that network.
bool is_attached(std::string_view stack, const v1::ContainerSpec& container, const NetworkName& network);

// nullptr where the container isn't in it.
v1::NetworkAttachment* find_attachment(std::string_view stack, v1::ContainerSpec& container,
                                       const NetworkName& network);

}  // namespace orchion::core
