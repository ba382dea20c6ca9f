#include "node/devices/cdi/cdi_spec.h"

#include <algorithm>
#include <initializer_list>

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include "core/cdi_name.h"
#include "node/devices/cdi/cdi_mount.h"

namespace orchion::node::devices::cdi {

namespace {

constexpr std::size_t kBytesMax = 1 << 20;
constexpr std::string_view kStages[] = {"prestart",       "createRuntime", "createContainer",
                                        "startContainer", "poststart",     "poststop"};

// Thrown inside this file alone: what yaml-cpp finds wrong is thrown too.
struct Wrong {
  std::string what;
};

void check_keys(const YAML::Node& map, const char* where, std::initializer_list<std::string_view> known) {
  if (!map.IsMap()) throw Wrong{fmt::format("{} isn't a map", where)};
  for (const auto& entry : map) {
    const auto key = entry.first.as<std::string>();
    if (std::ranges::find(known, key) == known.end())
      throw Wrong{fmt::format("`{}` of {} isn't known to this version", key, where)};
  }
}

std::string text_of(const YAML::Node& map, const char* key) {
  return map[key] ? map[key].as<std::string>() : std::string();
}

std::string path_of(const YAML::Node& map, const char* key, const char* where) {
  auto path = text_of(map, key);
  if (!path.starts_with('/')) throw Wrong{fmt::format("`{}` of {} isn't an absolute path", key, where)};
  return path;
}

std::optional<std::uint32_t> number_of(const YAML::Node& map, const char* key) {
  return map[key] ? std::optional(map[key].as<std::uint32_t>()) : std::nullopt;
}

std::vector<std::string> list_of(const YAML::Node& map, const char* key) {
  return map[key] ? map[key].as<std::vector<std::string>>() : std::vector<std::string>();
}

DeviceNode read_node(const YAML::Node& node) {
  constexpr const char* kWhere = "a device node";
  check_keys(node, kWhere, {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"});
  DeviceNode read;
  read.device.target = path_of(node, "path", kWhere);
  read.device.source = node["hostPath"] ? path_of(node, "hostPath", kWhere) : read.device.target.string();
  if (node["permissions"]) read.device.permissions = text_of(node, "permissions");
  if (read.device.permissions.empty() || read.device.permissions.find_first_not_of("rwm") != std::string::npos)
    throw Wrong{fmt::format("the permissions of {} aren't of r, w and m", read.device.target.string())};
  const auto type = text_of(node, "type");
  if (!type.empty() && type != "b" && type != "c" && type != "u")
    throw Wrong{fmt::format("the type `{}` of {} isn't known: b and c are", type, read.device.target.string())};
  read.type = type.empty() ? '\0' : type == "b" ? 'b' : 'c';
  // Without a type the numbers say nothing, as 0 in the files that some tools write.
  if (read.type != '\0') {
    read.major = number_of(node, "major");
    read.minor = number_of(node, "minor");
  }
  if (const auto mode = number_of(node, "fileMode")) read.device.mode = *mode & 0777;
  read.device.uid = number_of(node, "uid");
  read.device.gid = number_of(node, "gid");
  return read;
}

runtimes::MountPoint read_mount(const YAML::Node& node) {
  constexpr const char* kWhere = "a mount";
  check_keys(node, kWhere, {"hostPath", "containerPath", "type", "options"});
  const auto made = make_mount(text_of(node, "hostPath"), path_of(node, "containerPath", kWhere), text_of(node, "type"),
                               list_of(node, "options"));
  if (!made) throw Wrong{made.error().message};
  return *made;
}

runtimes::Hook read_hook(const YAML::Node& node) {
  constexpr const char* kWhere = "a hook";
  check_keys(node, kWhere, {"hookName", "path", "args", "env", "timeout"});
  runtimes::Hook hook{.stage = text_of(node, "hookName"),
                      .path = path_of(node, "path", kWhere),
                      .arguments = list_of(node, "args"),
                      .environment = list_of(node, "env"),
                      .timeout_s = static_cast<int>(number_of(node, "timeout").value_or(0))};
  if (std::ranges::find(kStages, hook.stage) == std::end(kStages))
    throw Wrong{fmt::format("the hook name `{}` isn't known", hook.stage)};
  return hook;
}

Edits read_edits(const YAML::Node& node) {
  Edits edits;
  if (!node || node.IsNull()) return edits;
  check_keys(node, "containerEdits", {"env", "deviceNodes", "mounts", "hooks", "additionalGids"});
  edits.environment = list_of(node, "env");
  for (const auto& variable : edits.environment) {
    if (variable.find('=') == std::string::npos || variable.starts_with('='))
      throw Wrong{fmt::format("`{}` in env isn't NAME=VALUE", variable)};
  }
  for (const auto& item : node["deviceNodes"]) edits.nodes.push_back(read_node(item));
  for (const auto& item : node["mounts"]) edits.mounts.push_back(read_mount(item));
  for (const auto& item : node["hooks"]) edits.hooks.push_back(read_hook(item));
  for (const auto& item : node["additionalGids"]) {
    // The specification has 0 for none.
    if (const auto gid = item.as<std::uint32_t>(); gid != 0) edits.groups.push_back(std::to_string(gid));
  }
  return edits;
}

Spec read_spec(const YAML::Node& root) {
  check_keys(root, "the file", {"cdiVersion", "kind", "annotations", "containerEdits", "devices"});
  const auto version = text_of(root, "cdiVersion");
  if (!version.starts_with("0.") && !version.starts_with("1."))
    throw Wrong{fmt::format("its cdiVersion `{}` isn't known: 0.3.0 to 1.x are", version)};
  Spec spec{.kind = text_of(root, "kind"), .edits = read_edits(root["containerEdits"]), .devices = {}};
  if (!core::is_cdi_kind(spec.kind)) throw Wrong{fmt::format("its kind `{}` isn't vendor.com/class", spec.kind)};
  for (const auto& device : root["devices"]) {
    check_keys(device, "a device", {"name", "annotations", "containerEdits"});
    const auto name = text_of(device, "name");
    if (!core::is_cdi_device(name)) throw Wrong{fmt::format("`{}` can't be a device's name", name)};
    if (!spec.devices.emplace(name, read_edits(device["containerEdits"])).second)
      throw Wrong{fmt::format("it has the device {} twice", name)};
  }
  if (spec.devices.empty()) throw Wrong{"it has no devices"};
  return spec;
}

}  // namespace

base::Result<Spec> parse_spec(std::string_view text) {
  const auto wrong = [](std::string_view what) { return base::fail(base::Code::kInvalidArgument, std::string(what)); };
  if (text.size() > kBytesMax) return wrong("it is larger than 1 MiB");
  try {
    return read_spec(YAML::Load(std::string(text)));
  } catch (const Wrong& found) {
    return wrong(found.what);
  } catch (const YAML::Exception& error) {
    return wrong(error.what());
  }
}

}  // namespace orchion::node::devices::cdi
