#include "spec/network_volume_loader.h"

#include <algorithm>
#include <initializer_list>

#include <fmt/core.h>

#include "core/network_validation.h"
#include "spec/keys.h"
#include "spec/mount_syntax.h"
#include "spec/stack_names.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::string_view kMtuOption = "com.docker.network.driver.mtu";

void note_name(const Node& node, std::string_view why, LoadContext& context) {
  const auto* name = find_value(node, "name");
  if (name && read_text(*name, "name", context.problems))
    context.warnings.push_back(fmt::format("{}: `name` is passed over: {}", name->at.text(), why));
}

// The first of them is what is meant where nothing is said.
void check_driver(const Node& node, std::initializer_list<std::string_view> supported, Problems& problems) {
  const auto* driver = find_value(node, "driver");
  const auto text = driver ? read_text(*driver, "driver", problems) : std::nullopt;
  if (text && std::ranges::find(supported, *text) == supported.end())
    problems.add(driver->at, fmt::format("the driver `{}` isn't supported: remove it, {} is meant without it", *text,
                                         *supported.begin()));
}

void load_labels(const Node& node, google::protobuf::Map<std::string, std::string>& out, Problems& problems) {
  for (const auto& pair : read_pairs(node, "labels", problems)) out[pair.key] = pair.value.value_or("");
}

// What the server would refuse of the field at `pointer`, said at its place in the file.
void check(const v1::NetworkSpec& spec, std::string_view pointer, const Node& node, Problems& problems) {
  core::Violations violations;
  core::check_network(spec, "", violations);
  for (const auto& violation : violations)
    if (violation.pointer == pointer) problems.add(node.at, violation.detail);
}

// One of each version of IP.
void load_subnet(const Node& node, v1::NetworkSpec& out, Problems& problems) {
  const auto text = read_text(node, "subnet", problems).value_or("");
  const bool is_ipv6 = text.find(':') != text.npos;
  if (!(is_ipv6 ? out.subnet6() : out.subnet()).empty())
    return problems.add(node.at,
                        fmt::format("a second subnet of {} isn't supported: keep one", is_ipv6 ? "IPv6" : "IPv4"));
  (is_ipv6 ? out.mutable_subnet6() : out.mutable_subnet())->assign(text);
  check(out, is_ipv6 ? "/subnet6" : "/subnet", node, problems);
}

void load_gateway(const Node& node, v1::NetworkSpec& out, Problems& problems) {
  const auto text = read_text(node, "gateway", problems).value_or("");
  if (text.find(':') != text.npos)
    return problems.add(node.at, "a gateway of IPv6 isn't supported: remove it, it follows from that of IPv4");
  if (!out.gateway().empty()) return problems.add(node.at, "a second gateway isn't supported: keep one");
  out.set_gateway(text);
  check(out, "/gateway", node, problems);
}

void load_range(const Node& node, v1::NetworkSpec& out, Problems& problems) {
  const auto text = read_text(node, "ip_range", problems).value_or("");
  if (text.find(':') != text.npos)
    return problems.add(node.at, "a range of IPv6 isn't supported: remove it, addresses follow from those of IPv4");
  if (!out.address_range().empty()) return problems.add(node.at, "a second `ip_range` isn't supported: keep one");
  out.set_address_range(text);
  check(out, "/addressRange", node, problems);
}

void load_ipam(const Node& ipam, v1::NetworkSpec& out, Problems& problems) {
  check_keys(ipam, kIpamKeys, problems);
  check_driver(ipam, {"default"}, problems);
  const auto* configs = ipam.find("config");
  if (!configs || !expect_list(*configs, "config", problems)) return;
  for (const auto& config : configs->items) {
    if (!expect_map(config, "config", problems)) continue;
    check_keys(config, kIpamConfigKeys, problems);
    if (const auto* subnet = find_value(config, "subnet")) load_subnet(*subnet, out, problems);
    if (const auto* gateway = find_value(config, "gateway")) load_gateway(*gateway, out, problems);
    if (const auto* range = find_value(config, "ip_range")) load_range(*range, out, problems);
  }
}

void load_network_options(const Node& node, v1::NetworkSpec& out, Problems& problems) {
  if (!expect_map(node, "driver_opts", problems)) return;
  check_keys(node, kNetworkOptionKeys, problems);
  if (const auto* parent = find_value(node, "parent")) {
    out.set_parent(read_text(*parent, "parent", problems).value_or(""));
    check(out, "/parent", *parent, problems);
  }
  if (const auto* mode = find_value(node, "macvlan_mode"))
    if (const auto text = read_text(*mode, "macvlan_mode", problems); text && *text != "bridge")
      problems.add(mode->at,
                   fmt::format("the macvlan mode `{}` isn't supported: remove it, bridge is meant without it", *text));
  const auto* mtu = find_value(node, kMtuOption);
  if (!mtu) return;
  const auto least = out.enable_ipv6() ? core::kMtuMinIpv6 : core::kMtuMin;
  out.set_mtu(static_cast<std::uint32_t>(read_integer(*mtu, kMtuOption, least, core::kMtuMax, problems).value_or(0)));
}

// What such a network needs and the file may not say at all, or says elsewhere.
void check_macvlan(const Node& driver, const v1::NetworkSpec& out, Problems& problems) {
  if (out.parent().empty())
    problems.add(driver.at,
                 "a macvlan network needs the nodes' interface that it is on: write it as "
                 "`driver_opts: {parent: eth0}`");
  if (out.subnet().empty())
    problems.add(driver.at,
                 "a macvlan network needs the subnet of the network behind its parent: write it as `ipam: "
                 "{config: [{subnet: 192.168.1.0/24}]}`");
  for (const auto* pointer : {"/internal", "/enableIpv6"}) check(out, pointer, driver, problems);
}

// "shop_front", as other programs write it, as it is written here.
std::string with_slash(std::string name) {
  if (const auto at = name.find('_'); at != name.npos) name[at] = '/';
  return name;
}

}  // namespace

void NetworkLoader::load(const Node::Entry& entry, v1::NamedNetwork& network, LoadContext& context) {
  Problems& problems = context.problems;
  network.set_name(entry.key);
  const Node& node = entry.value;
  auto& out = *network.mutable_spec();
  if (!expect_map(node, entry.key, problems)) return;
  check_keys(node, kNetworkKeys, problems);
  check_driver(node, {"bridge", "overlay", "macvlan"}, problems);
  const auto* driver = find_value(node, "driver");
  if (driver && driver->is_scalar() && driver->text == "macvlan") out.set_driver(v1::MACVLAN);
  note_name(node, "networks belong to their stack", context);
  if (const auto* flag = find_value(node, "enable_ipv4"); flag && read_bool(*flag, "enable_ipv4", problems) == false)
    problems.add(flag->at, "`enable_ipv4: false` isn't supported: remove it; networks have IPv4 addresses");
  const auto flag = [&](std::string_view key) {
    const auto* value = find_value(node, key);
    return value && read_bool(*value, key, problems).value_or(false);
  };
  flag("attachable");
  flag("external");
  out.set_enable_ipv6(flag("enable_ipv6"));
  out.set_internal(flag("internal"));
  if (const auto* labels = node.find("labels")) load_labels(*labels, *out.mutable_labels(), problems);
  if (const auto* ipam = node.find("ipam"); ipam && expect_map(*ipam, "ipam", problems))
    load_ipam(*ipam, out, problems);
  if (const auto* options = find_value(node, "driver_opts")) load_network_options(*options, out, problems);
  if (out.driver() == v1::MACVLAN) check_macvlan(*driver, out, problems);
}

bool NetworkLoader::is_external(const Node::Entry& entry) {
  const auto* external = entry.value.is_map() ? find_value(entry.value, "external") : nullptr;
  return external && external->is_scalar() && parse_bool(external->text) == true;
}

void NetworkLoader::load_external(const Node::Entry& entry, LoadContext& context) {
  Problems& problems = context.problems;
  const Node& node = entry.value;
  check_keys(node, kNetworkKeys, problems);
  for (const auto& other : node.entries)
    if (other.key != "external" && other.key != "name" && !is_extension(other.key))
      problems.add(other.key_at, fmt::format("`{}` means nothing beside `external: true`: remove it", other.key));
  const auto* name = find_value(node, "name");
  const auto text = name ? read_text(*name, "name", problems).value_or("") : entry.key;
  core::Violations violations;
  v1::NetworkAttachment attachment;
  attachment.set_network(text);
  core::check_attachment(attachment, "", violations);
  if (!violations.empty() || text.find('/') == text.npos)
    problems.add(
        name ? name->at : find_value(node, "external")->at,
        fmt::format("`{}` doesn't say whose network it is: write `name: STACK/NETWORK`, such as `{}`; `orchion "
                    "network ls` lists them",
                    text, with_slash(text).find('/') == text.npos ? "other/" + text : with_slash(text)));
  externals_[entry.key] = text;
}

void NetworkLoader::apply(v1::StackSpec& spec) const {
  const auto name = [&](auto& part) {
    if (const auto external = externals_.find(part.network()); external != externals_.end())
      part.set_network(external->second);
  };
  for (auto& service : *spec.mutable_services()) {
    for (auto& attachment : *service.mutable_spec()->mutable_container()->mutable_networks()) name(attachment);
    for (auto& route : *service.mutable_spec()->mutable_routes()) name(route);
  }
}

void VolumeLoader::load(const Node::Entry& entry, v1::NamedVolume& volume, LoadContext& context) {
  Problems& problems = context.problems;
  volume.set_name(entry.key);
  auto& out = *volume.mutable_spec();
  if (!expect_map(entry.value, entry.key, problems)) return;
  check_keys(entry.value, kVolumeKeys, problems);
  check_driver(entry.value, {"local"}, problems);
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
