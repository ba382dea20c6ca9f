#pragma once

// Reading what nftables lists of our table. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace orchion::node::networks {

// Takes what stands before `end` off the front of `text`, without the spaces around it.
std::string_view take_until(std::string_view& text, std::string_view end);

// What the listing has of a set or map, without what a map leads to.
struct ListedElement {
  std::string value;
  std::string comment;
};
std::vector<ListedElement> list_elements(std::string_view listing, std::string_view set);

// The chains whose names begin so.
std::vector<std::string> list_chains(std::string_view listing, std::string_view prefix);

}  // namespace orchion::node::networks
