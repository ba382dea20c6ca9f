#include "node/networks/listing.h"

#include <fmt/format.h>

namespace orchion::node::networks {

std::string_view take_until(std::string_view& text, std::string_view end) {
  const auto at = text.find(end);
  std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + end.size());
  const auto first = taken.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return taken.substr(first, taken.find_last_not_of(" \t\n") - first + 1);
}

std::vector<ListedElement> list_elements(std::string_view listing, std::string_view set) {
  std::vector<ListedElement> result;
  for (const char* kind : {"\tset ", "\tmap "}) {
    const auto at = listing.find(fmt::format("{}{} {{", kind, set));
    if (at == std::string_view::npos) continue;
    std::string_view rest = listing.substr(at);
    std::string_view block = take_until(rest, "\n\t}");
    const auto begin = block.find("elements = {");
    if (begin == std::string_view::npos) continue;
    block.remove_prefix(begin + std::string_view("elements = {").size());
    std::string_view elements = take_until(block, "}");
    while (!elements.empty()) {
      std::string_view element = take_until(elements, ",");
      std::string_view key = take_until(element, " : ");
      std::string_view value = take_until(key, " comment \"");
      result.push_back({std::string(value), std::string(take_until(key, "\""))});
    }
  }
  return result;
}

std::vector<std::string> list_chains(std::string_view listing, std::string_view prefix) {
  constexpr std::string_view kHead = "\n\tchain ";
  std::vector<std::string> chains;
  for (auto at = listing.find(kHead); at != std::string_view::npos; at = listing.find(kHead, at + 1)) {
    std::string_view rest = listing.substr(at + kHead.size());
    const std::string_view name = take_until(rest, " {");
    if (name.starts_with(prefix)) chains.emplace_back(name);
  }
  return chains;
}

}  // namespace orchion::node::networks
