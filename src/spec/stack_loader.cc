#include "spec/stack_loader.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/core.h>

#include "core/naming.h"
#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

// The nearest name that is one here: names become parts of host names.
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

std::string bad_name(std::string_view name) {
  const auto label = as_label(name);
  return fmt::format("`{}` can't be a name here, only a-z, 0-9 and `-` can, as in host names: call it `{}`", name,
                     core::is_dns_label(label) ? label : "main");
}

class StackLoader {
 public:
  StackLoader(const Node& root, const std::vector<std::string>& profiles, LoadContext& context)
      : root_(root), profiles_(profiles), context_(context), problems_(context.problems) {}

  v1::StackSpec run() {
    check_keys(root_, kTopKeys, problems_);
    if (const auto* version = root_.find("version"))
      context_.warnings.push_back(
          fmt::format("{}: `version` means nothing any more and is passed over: remove it", version->at.text()));
    for_each("services", [this](const Node::Entry& entry) { load_one_service(entry); });
    for_each("networks", [this](const Node::Entry& entry) { load_network(entry); });
    for_each("volumes", [this](const Node::Entry& entry) { load_volume(entry); });
    if (const auto* services = root_.find("services"); !services || services->is_null() || services->entries.empty())
      problems_.add(services ? services->at : root_.at, "the file has no `services`: describe at least one");
    check_references();
    check_cycles();
    return std::move(spec_);
  }

 private:
  template <class Action>
  void for_each(std::string_view key, Action action) {
    const auto* map = root_.find(key);
    if (!map || !expect_map(*map, key, problems_)) return;
    for (const auto& entry : map->entries) {
      if (is_extension(entry.key)) continue;
      if (!core::is_dns_label(entry.key)) problems_.add(entry.key_at, bad_name(entry.key));
      action(entry);
    }
  }

  bool is_active(const Node& service) {
    const auto* node = service.find("profiles");
    if (!node || node->is_null()) return true;
    const auto wanted = read_list(*node, "profiles", Single::kRefused, problems_);
    if (wanted.empty()) return true;
    return std::ranges::any_of(profiles_, [&](const std::string& active) {
      return active == "*" || std::ranges::find(wanted, active) != wanted.end();
    });
  }

  void load_one_service(const Node::Entry& entry) {
    if (!is_active(entry.value)) {
      inactive_.insert(entry.key);
      return;
    }
    nodes_[entry.key] = &entry.value;
    auto& service = *spec_.add_services();
    service.set_name(entry.key);
    *service.mutable_spec() = load_service(entry.key, entry.value, context_);
  }

  void load_network(const Node::Entry& entry) {
    auto& network = *spec_.add_networks();
    network.set_name(entry.key);
    const Node& node = entry.value;
    auto& out = *network.mutable_spec();
    if (!expect_map(node, entry.key, problems_)) return;
    check_keys(node, kNetworkKeys, problems_);
    check_driver(node, "bridge");
    if (const auto* internal = node.find("internal"))
      out.set_internal(read_bool(*internal, "internal", problems_).value_or(false));
    if (const auto* labels = node.find("labels")) load_labels(*labels, *out.mutable_labels());
    if (const auto* ipam = node.find("ipam"); ipam && expect_map(*ipam, "ipam", problems_)) load_ipam(*ipam, out);
  }

  void load_ipam(const Node& ipam, v1::NetworkSpec& out) {
    check_keys(ipam, kIpamKeys, problems_);
    const auto* configs = ipam.find("config");
    if (!configs || !expect_list(*configs, "config", problems_)) return;
    for (const auto& config : configs->items) {
      if (!expect_map(config, "config", problems_)) continue;
      check_keys(config, kIpamConfigKeys, problems_);
      const auto* subnet = config.find("subnet");
      if (!subnet) continue;
      if (!out.subnet().empty())
        problems_.add(subnet->at, "a second subnet isn't supported yet: keep one");
      else
        out.set_subnet(read_text(*subnet, "subnet", problems_).value_or(""));
    }
  }

  void load_volume(const Node::Entry& entry) {
    auto& volume = *spec_.add_volumes();
    volume.set_name(entry.key);
    auto& out = *volume.mutable_spec();
    if (!expect_map(entry.value, entry.key, problems_)) return;
    check_keys(entry.value, kVolumeKeys, problems_);
    check_driver(entry.value, "local");
    if (const auto* labels = entry.value.find("labels")) load_labels(*labels, *out.mutable_labels());
  }

  void check_driver(const Node& node, std::string_view supported) {
    const auto* driver = node.find("driver");
    if (!driver || driver->is_null()) return;
    const auto text = read_text(*driver, "driver", problems_);
    if (text && *text != supported)
      problems_.add(driver->at, fmt::format("the driver `{}` isn't supported yet: remove it, {} is meant without it",
                                            *text, supported));
  }

  void load_labels(const Node& node, google::protobuf::Map<std::string, std::string>& out) {
    for (const auto& pair : read_pairs(node, "labels", problems_)) out[pair.key] = pair.value.value_or("");
  }

  // Where in a service's part of the file `name` stands below `key`.
  Position place_of(const std::string& service, std::string_view key, std::string_view name) const {
    const Node& node = *nodes_.at(service);
    const auto* part = node.find(key);
    if (!part) return node.at;
    for (const auto& entry : part->entries)
      if (entry.key == name) return entry.key_at;
    for (const auto& item : part->items) {
      const auto* source = item.find("source");
      const std::string_view text = source ? std::string_view(source->text) : std::string_view(item.text);
      if (text == name || (text.starts_with(name) && text.substr(name.size()).starts_with(':'))) return item.at;
    }
    return part->at;
  }

  void check_references() {
    std::set<std::string, std::less<>> networks, volumes;
    for (const auto& network : spec_.networks()) networks.insert(network.name());
    for (const auto& volume : spec_.volumes()) volumes.insert(volume.name());
    bool default_is_used = false;
    for (const auto& service : spec_.services()) {
      for (const auto& attachment : service.spec().container().networks()) {
        default_is_used = default_is_used || attachment.network() == "default";
        if (attachment.network() != "default" && !networks.contains(attachment.network()))
          undeclared(service.name(), "networks", attachment.network());
      }
      for (const auto& mount : service.spec().container().mounts())
        if (mount.type() == v1::Mount::VOLUME && !volumes.contains(mount.source()))
          undeclared(service.name(), "volumes", mount.source());
      check_dependencies(service);
    }
    if (!default_is_used || networks.contains("default")) return;
    auto& network = *spec_.add_networks();
    network.set_name("default");
    network.mutable_spec();
  }

  void undeclared(const std::string& service, std::string_view kind, const std::string& name) {
    problems_.add(place_of(service, kind, name),
                  fmt::format("`{}` isn't declared: add it under the top-level `{}`", name, kind));
  }

  void check_dependencies(const v1::NamedService& service) {
    for (const auto& dependency : service.spec().depends_on()) {
      if (nodes_.contains(dependency.service())) continue;
      const auto at = place_of(service.name(), "depends_on", dependency.service());
      if (inactive_.contains(dependency.service()))
        problems_.add(at, fmt::format("`{}` belongs to a profile that isn't active: activate it with --profile",
                                      dependency.service()));
      else
        problems_.add(
            at, fmt::format("there is no service `{}` to depend on: add it, or remove this", dependency.service()));
    }
  }

  // Services are taken away as soon as all they depend on is; what stays depends on itself.
  void check_cycles() {
    std::map<std::string, std::set<std::string>> waiting;
    std::map<std::string, std::vector<std::string>> dependents;
    std::vector<std::string> free;
    for (const auto& service : spec_.services()) {
      auto& needs = waiting[service.name()];
      for (const auto& dependency : service.spec().depends_on())
        if (nodes_.contains(dependency.service()) && needs.insert(dependency.service()).second)
          dependents[dependency.service()].push_back(service.name());
      if (needs.empty()) free.push_back(service.name());
    }
    while (!free.empty()) {
      const auto name = std::move(free.back());
      free.pop_back();
      waiting.erase(name);
      for (const auto& dependent : dependents[name]) {
        auto& needs = waiting[dependent];
        needs.erase(name);
        if (needs.empty()) free.push_back(dependent);
      }
    }
    if (waiting.empty()) return;
    // Whoever still waits leads into a circle sooner or later.
    std::set<std::string> seen;
    auto name = waiting.begin()->first;
    while (seen.insert(name).second) name = *waiting[name].begin();
    const auto& next = *waiting[name].begin();
    problems_.add(place_of(name, "depends_on", next),
                  fmt::format("`{}` waits for `{}`, and through it for itself: break the circle", name, next));
  }

  const Node& root_;
  const std::vector<std::string>& profiles_;
  LoadContext& context_;
  Problems& problems_;
  v1::StackSpec spec_;
  std::map<std::string, const Node*> nodes_;  // of the loaded services
  std::set<std::string> inactive_;
};

}  // namespace

v1::StackSpec load_stack(const Node& root, const std::vector<std::string>& profiles, LoadContext& context) {
  return StackLoader(root, profiles, context).run();
}

}  // namespace orchion::spec
