#include "spec/network_volume_loader.h"

#include <algorithm>

#include <fmt/core.h>

#include "spec/keys.h"
#include "spec/mount_syntax.h"
#include "spec/stack_names.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

void note_name(const Node& node, std::string_view why, LoadContext& context) {
  const auto* name = find_value(node, "name");
  if (name && read_text(*name, "name", context.problems))
    context.warnings.push_back(fmt::format("{}: `name` is passed over: {}", name->at.text(), why));
}

void check_driver(const Node& node, std::string_view key, std::string_view supported, Problems& problems) {
  const auto* driver = find_value(node, key);
  const auto text = driver ? read_text(*driver, "driver", problems) : std::nullopt;
  if (text && *text != supported)
    problems.add(driver->at,
                 fmt::format("the driver `{}` isn't supported: remove it, {} is meant without it", *text, supported));
}

void load_labels(const Node& node, google::protobuf::Map<std::string, std::string>& out, Problems& problems) {
  for (const auto& pair : read_pairs(node, "labels", problems)) out[pair.key] = pair.value.value_or("");
}

void load_ipam(const Node& ipam, v1::NetworkSpec& out, Problems& problems) {
  check_keys(ipam, kIpamKeys, problems);
  check_driver(ipam, "driver", "default", problems);
  const auto* configs = ipam.find("config");
  if (!configs || !expect_list(*configs, "config", problems)) return;
  for (const auto& config : configs->items) {
    if (!expect_map(config, "config", problems)) continue;
    check_keys(config, kIpamConfigKeys, problems);
    const auto* subnet = config.find("subnet");
    if (!subnet) continue;
    if (!out.subnet().empty())
      problems.add(subnet->at, "a second subnet isn't supported: keep one");
    else
      out.set_subnet(read_text(*subnet, "subnet", problems).value_or(""));
  }
}

}  // namespace

void load_network(const Node::Entry& entry, v1::NamedNetwork& network, LoadContext& context) {
  Problems& problems = context.problems;
  network.set_name(entry.key);
  const Node& node = entry.value;
  auto& out = *network.mutable_spec();
  if (!expect_map(node, entry.key, problems)) return;
  check_keys(node, kNetworkKeys, problems);
  check_driver(node, "driver", "bridge", problems);
  note_name(node, "networks belong to their stack", context);
  for (const auto& [key, wanted] : {std::pair("enable_ipv4", true), std::pair("enable_ipv6", false)})
    if (const auto* flag = find_value(node, key); flag && read_bool(*flag, key, problems) == !wanted)
      problems.add(flag->at,
                   fmt::format("`{}: {}` isn't supported: remove it; networks have IPv4 addresses", key, flag->text));
  if (const auto* attachable = find_value(node, "attachable")) read_bool(*attachable, "attachable", problems);
  if (const auto* internal = node.find("internal"))
    out.set_internal(read_bool(*internal, "internal", problems).value_or(false));
  if (const auto* labels = node.find("labels")) load_labels(*labels, *out.mutable_labels(), problems);
  if (const auto* ipam = node.find("ipam"); ipam && expect_map(*ipam, "ipam", problems))
    load_ipam(*ipam, out, problems);
}

void VolumeLoader::load(const Node::Entry& entry, v1::NamedVolume& volume, LoadContext& context) {
  Problems& problems = context.problems;
  volume.set_name(entry.key);
  auto& out = *volume.mutable_spec();
  if (!expect_map(entry.value, entry.key, problems)) return;
  check_keys(entry.value, kVolumeKeys, problems);
  check_driver(entry.value, "driver", "local", problems);
  note_name(entry.value, "volumes belong to their stack", context);
  if (const auto* labels = entry.value.find("labels")) load_labels(*labels, *out.mutable_labels(), problems);
  if (const auto* options = find_value(entry.value, "driver_opts")) load_driver_options(entry.key, *options, context);
}

// The two kinds of mount that people write as volumes of the `local` driver.
void VolumeLoader::load_driver_options(const std::string& volume, const Node& node, LoadContext& context) {
  Problems& problems = context.problems;
  if (!expect_map(node, "driver_opts", problems)) return;
  check_keys(node, kDriverOptionKeys, problems);
  const auto text = [&](std::string_view key) -> std::string {
    const auto* value = find_value(node, key);
    return value ? read_text(*value, key, problems).value_or("") : "";
  };
  const auto type = text("type"), options = text("o"), device = text("device");
  if (node.entries.empty()) return;
  OtherMount mount;
  if ((type == "none" || type == "bind" || type.empty()) && (options == "bind" || options == "rbind") &&
      !device.empty()) {
    const auto path = resolve_host_path(device, context.folders_of(node.at));
    if (!path) return problems.add(node.at, path.error().message);
    mount.source = *path;
  } else if (type == "tmpfs") {
    const auto parsed = parse_tmpfs(options.empty() ? "/x" : "/x:" + options);
    if (!parsed) return problems.add(node.at, parsed.error().message);
    mount.type = v1::Mount::TMPFS;
    mount.bytes = parsed->tmpfs_bytes();
  } else {
    return problems.add(node.at,
                        "these `driver_opts` aren't supported: mount the file system on the node, and name "
                        "its folder in the service's `volumes`");
  }
  other_mounts_.emplace(volume, std::move(mount));
}

void VolumeLoader::apply(v1::StackSpec& spec) const {
  if (other_mounts_.empty()) return;
  for (auto& service : *spec.mutable_services())
    for (auto& mount : *service.mutable_spec()->mutable_container()->mutable_mounts()) {
      const auto other = other_mounts_.find(mount.source());
      if (mount.type() != v1::Mount::VOLUME || other == other_mounts_.end()) continue;
      mount.set_type(other->second.type);
      mount.set_source(other->second.source);
      mount.set_tmpfs_bytes(other->second.bytes);
    }
  auto& volumes = *spec.mutable_volumes();
  volumes.erase(std::remove_if(volumes.begin(), volumes.end(),
                               [&](const v1::NamedVolume& volume) { return other_mounts_.contains(volume.name()); }),
                volumes.end());
}

void name_anonymous_volumes(v1::StackSpec& spec) {
  for (auto& service : *spec.mutable_services())
    for (auto& mount : *service.mutable_spec()->mutable_container()->mutable_mounts()) {
      if (mount.type() != v1::Mount::VOLUME || !mount.source().empty()) continue;
      mount.set_source(as_label(service.name() + "-anonymous" + mount.target()));
      if (std::ranges::find(spec.volumes(), mount.source(), &v1::NamedVolume::name) != spec.volumes().end()) continue;
      auto& volume = *spec.add_volumes();
      volume.set_name(mount.source());
      volume.mutable_spec();
    }
}

}  // namespace orchion::spec
