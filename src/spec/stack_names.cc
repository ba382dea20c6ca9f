#include "spec/stack_names.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "core/naming.h"
#include "core/shared_network.h"

namespace orchion::spec {

namespace {

// What Compose allows as a name.
bool is_compose_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
  });
}

std::string label_of(const NameMap& names, const std::string& name) {
  const auto found = names.labels.find(name);
  return found == names.labels.end() ? name : found->second;
}

}  // namespace

std::string as_label(std::string_view name) {
  std::string label;
  for (const char c : name) {
    const auto low = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    label += std::isalnum(static_cast<unsigned char>(low)) != 0 ? low : '-';
  }
  label.resize(std::min(label.size(), core::kNameBytesMax));
  while (label.starts_with('-')) label.erase(0, 1);
  while (label.ends_with('-')) label.pop_back();
  return label;
}

void settle_name(const Node::Entry& entry, NameMap& names, LoadContext& context) {
  const auto& name = entry.key;
  auto label = core::is_dns_label(name) ? name : as_label(name);
  const bool taken = !names.taken.insert(label).second;
  if (!is_compose_name(name) || !core::is_dns_label(label))
    context.problems.add(
        entry.key_at,
        fmt::format("`{}` can't be a name here, only a-z, 0-9 and `-` can, as in host names: call it `{}`", name,
                    core::is_dns_label(label) ? label : "main"));
  else if (taken)
    context.problems.add(entry.key_at,
                         fmt::format("`{}` would be called `{}` here, as another is: rename one", name, label));
  else if (label != name)
    context.warnings.push_back(
        fmt::format("{}: `{}` is called `{}` here, as in host names", entry.key_at.text(), name, label));
  names.labels.emplace(name, std::move(label));
}

void add_alias(v1::NetworkAttachment& attachment, const std::string& alias) {
  if (std::ranges::find(attachment.aliases(), alias) == attachment.aliases().end()) attachment.add_aliases(alias);
}

void StackNames::apply(v1::StackSpec& spec) const {
  for (auto& network : *spec.mutable_networks()) network.set_name(label_of(networks, network.name()));
  for (auto& volume : *spec.mutable_volumes()) volume.set_name(label_of(volumes, volume.name()));
  for (auto& service : *spec.mutable_services()) {
    auto& container = *service.mutable_spec()->mutable_container();
    std::string old = service.name();
    service.set_name(label_of(services, old));
    for (auto& dependency : *service.mutable_spec()->mutable_depends_on())
      dependency.set_service(label_of(services, dependency.service()));
    for (auto& route : *service.mutable_spec()->mutable_routes())
      if (!route.network().empty()) route.set_network(label_of(networks, route.network()));
    if (core::shares_network(container)) container.set_network_service(label_of(services, container.network_service()));
    for (auto& mount : *container.mutable_mounts())
      if (mount.type() == v1::Mount::VOLUME) mount.set_source(label_of(volumes, mount.source()));
    std::ranges::transform(old, old.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (auto& attachment : *container.mutable_networks()) {
      attachment.set_network(label_of(networks, attachment.network()));
      // Programs go on asking for the name that the file has.
      if (old != service.name() && core::is_host_alias(old)) add_alias(attachment, old);
    }
  }
}

void StackNames::apply(std::vector<BuildSpec>& builds) const {
  for (auto& build : builds) build.service = label_of(services, build.service);
}

}  // namespace orchion::spec
