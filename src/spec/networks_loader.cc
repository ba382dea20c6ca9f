// A service's networks, and the names it knows others by.

#include <algorithm>
#include <cctype>

#include <arpa/inet.h>
#include <fmt/core.h>

#include "core/naming.h"
#include "spec/keys.h"
#include "spec/port_syntax.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::string_view kHostGateway = "host-gateway";

bool is_address(const std::string& text) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

void add_host(const std::string& name, std::string address, const Position& at, v1::ContainerSpec& container,
              Problems& problems) {
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  const bool good_name = !name.empty() && name.find_first_of(" \t\n#") == std::string::npos;
  if (!good_name || (address != kHostGateway && !is_address(address)))
    return problems.add(
        at, fmt::format("`{}={}` isn't a host: write it as NAME=ADDRESS or NAME=host-gateway", name, address));
  container.add_extra_hosts(fmt::format("{}={}", name, address));
}

void load_extra_hosts(const Node& node, v1::ContainerSpec& container, Problems& problems) {
  if (node.is_list()) {
    for (const auto& item : node.items) {
      const auto text = read_text(item, "extra_hosts", problems);
      if (!text) continue;
      const auto end = std::min(text->find('='), text->find(':'));
      add_host(text->substr(0, end), end == std::string::npos ? "" : text->substr(end + 1), item.at, container,
               problems);
    }
  } else if (expect_map(node, "extra_hosts", problems)) {
    for (const auto& entry : node.entries)
      for (auto& address : read_list(entry.value, entry.key, Single::kIsAList, problems))
        add_host(entry.key, std::move(address), entry.value.at, container, problems);
  }
}

struct Attachment {
  v1::NetworkAttachment message;
  std::int64_t gateway_priority = 0;
  std::int64_t priority = 0;
};

Attachment load_attachment(const Node::Entry& entry, Problems& problems) {
  Attachment result;
  result.message.set_network(entry.key);
  if (!expect_map(entry.value, entry.key, problems)) return result;
  check_keys(entry.value, kAttachmentKeys, problems);
  const auto number = [&](std::string_view key) -> std::int64_t {
    const auto* node = find_value(entry.value, key);
    return node ? read_integer(*node, key, -1'000'000, 1'000'000, problems).value_or(0) : 0;
  };
  result.priority = number("priority");
  result.gateway_priority = number("gw_priority");
  const auto* aliases = find_value(entry.value, "aliases");
  if (!aliases) return result;
  for (auto& alias : read_list(*aliases, "aliases", Single::kRefused, problems)) {
    std::ranges::transform(alias, alias.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (!core::is_host_alias(alias))
      problems.add(aliases->at, fmt::format("`{}` can't be an alias: use letters, digits, `-` and `_`", alias));
    result.message.add_aliases(std::move(alias));
  }
  return result;
}

constexpr std::string_view kOfService = "service:";
constexpr std::string_view kOfContainer = "container:";

// The network, and all that belongs to it, is another service's. As Docker has it.
void load_shared_network(const Node& service, const Node& node, std::string_view name, v1::ContainerSpec& container,
                         Problems& problems) {
  if (name.empty()) return problems.add(node.at, "`network_mode: service:` names no service: write one behind it");
  container.set_network_mode(v1::OF_SERVICE);
  container.set_network_service(std::string(name));
  for (const auto* key : {"hostname", "domainname", "dns", "dns_search", "dns_opt", "extra_hosts", "expose", "links"})
    if (const auto* other = find_value(service, key))
      problems.add(other->at, fmt::format("`{}` means nothing with `network_mode: service:{}`: remove it, or write it "
                                          "for `{}`, whose network this is",
                                          key, name, name));
}

// False where the service is in no networks of the stack.
bool load_mode(const Node& service, v1::ContainerSpec& container, Problems& problems) {
  const auto* node = find_value(service, "network_mode");
  const auto text = node ? read_text(*node, "network_mode", problems) : std::nullopt;
  if (!text) return true;
  if (const auto* networks = find_value(service, "networks"))
    problems.add(networks->at, "`networks` and `network_mode` can't both be there: keep one");
  if (*text == "bridge" || *text == "default") return true;
  if (*text == "none") {
    container.set_network_mode(v1::NO_NETWORK);
  } else if (*text == "host") {
    container.set_network_mode(v1::HOST_NETWORK);
  } else if (text->starts_with(kOfService)) {
    load_shared_network(service, *node, std::string_view(*text).substr(kOfService.size()), container, problems);
  } else if (text->starts_with(kOfContainer)) {
    problems.add(node->at, fmt::format("`network_mode: {}` isn't supported, since containers come and go with their "
                                       "services: write `service:NAME` of a service in this file",
                                       *text));
  } else {
    problems.add(node->at, fmt::format("`network_mode: {}` isn't supported: there are none, host, bridge and "
                                       "service:NAME; networks of the stack stand under `networks`",
                                       *text));
  }
  if (const auto* ports = find_value(service, "ports"))
    problems.add(ports->at, fmt::format("`ports` means nothing with `network_mode: {}`: remove one", *text));
  return false;
}

}  // namespace

void load_networks(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  Problems& problems = context.problems;
  if (!load_mode(service, container, problems)) return;
  std::vector<Attachment> attachments;
  const auto* node = find_value(service, "networks");
  if (node && node->is_list()) {
    for (auto& name : read_list(*node, "networks", Single::kRefused, problems)) {
      attachments.emplace_back().message.set_network(std::move(name));
    }
  } else if (node && expect_map(*node, "networks", problems)) {
    for (const auto& entry : node->entries)
      if (!is_extension(entry.key)) attachments.push_back(load_attachment(entry, problems));
  }
  if (attachments.empty()) attachments.emplace_back().message.set_network("default");
  // The way out leads through the first one.
  std::ranges::stable_sort(attachments, [](const Attachment& a, const Attachment& b) {
    return std::pair(a.gateway_priority, a.priority) > std::pair(b.gateway_priority, b.priority);
  });
  for (auto& attachment : attachments) *container.add_networks() = std::move(attachment.message);
}

void load_names(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  Problems& problems = context.problems;
  if (const auto* node = find_value(service, "dns"))
    for (auto& server : read_list(*node, "dns", Single::kIsAList, problems)) {
      if (!is_address(server))
        problems.add(node->at, fmt::format("`{}` isn't an IP address: name a resolver by its address", server));
      container.mutable_dns()->add_values(std::move(server));
    }
  if (const auto* node = find_value(service, "dns_search"))
    for (auto& domain : read_list(*node, "dns_search", Single::kIsAList, problems)) {
      if (domain.empty() || domain.find_first_of(" \t\n") != std::string::npos)
        problems.add(node->at, fmt::format("`{}` isn't a domain: write it as example.com, or `.` for none", domain));
      container.mutable_dns_search()->add_values(std::move(domain));
    }
  if (const auto* node = find_value(service, "dns_opt"))
    for (auto& option : read_list(*node, "dns_opt", Single::kRefused, problems)) {
      if (option.empty() || option.find_first_of(" \t\n") != std::string::npos)
        problems.add(node->at, fmt::format("`{}` isn't an option of resolv.conf: write it as ndots:1", option));
      container.add_dns_options(std::move(option));
    }
  if (const auto* node = find_value(service, "extra_hosts")) load_extra_hosts(*node, container, problems);
  const auto* expose = find_value(service, "expose");
  if (!expose || !expect_list(*expose, "expose", problems)) return;
  for (const auto& item : expose->items)
    if (const auto text = read_text(item, "expose", problems))
      if (const auto ports = parse_ports(*text); !ports || text->find(':') != std::string::npos)
        problems.add(item.at, fmt::format("`{}` isn't a container's port: write it as 80, 8000-8010 or 53/udp", *text));
}

}  // namespace orchion::spec
