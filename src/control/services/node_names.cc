#include "control/services/node_names.h"

#include <fmt/core.h>

#include "core/naming.h"

namespace orchion::control::services {

namespace {

// Room for a number.
constexpr std::size_t kStemBytesMax = core::kNameBytesMax - 8;

std::string label_of(const std::string& hostname) {
  std::string label;
  for (const char c : hostname.substr(0, hostname.find('.'))) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool plain = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    label += upper ? static_cast<char>(c - 'A' + 'a') : plain ? c : '-';
  }
  label.resize(std::min(label.size(), kStemBytesMax));
  while (label.starts_with('-')) label.erase(0, 1);
  while (label.ends_with('-')) label.pop_back();
  return label.empty() ? "node" : label;
}

}  // namespace

std::string free_node_name(const store::View& view, const std::string& hostname) {
  const auto stem = core::is_dns_label(hostname) && hostname.size() <= kStemBytesMax ? hostname : label_of(hostname);
  std::string name = stem;
  for (int i = 2; view.nodes().find(name) != nullptr; ++i) name = fmt::format("{}-{}", stem, i);
  return name;
}

}  // namespace orchion::control::services
