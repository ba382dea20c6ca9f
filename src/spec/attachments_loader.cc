// `ports` and `volumes` of a service, short and long.

#include <set>
#include <tuple>

#include <fmt/core.h>

#include "spec/keys.h"
#include "spec/port_syntax.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

std::string text_at(const Node& map, std::string_view key, Problems& problems, std::string otherwise = "") {
  const auto* node = map.find(key);
  if (!node || node->is_null()) return otherwise;
  return read_text(*node, key, problems).value_or(std::move(otherwise));
}

bool flag_at(const Node& map, std::string_view key, bool otherwise, Problems& problems) {
  const auto* node = map.find(key);
  if (!node || node->is_null()) return otherwise;
  return read_bool(*node, key, problems).value_or(otherwise);
}

base::Result<std::vector<v1::PortMapping>> load_long_port(const Node& node, Problems& problems) {
  check_keys(node, kPortKeys, problems);
  LongPort port;
  port.target = text_at(node, "target", problems);
  port.published = text_at(node, "published", problems);
  port.host_ip = text_at(node, "host_ip", problems);
  port.protocol = text_at(node, "protocol", problems, "tcp");
  const auto mode = text_at(node, "mode", problems, "ingress");
  if (mode != "ingress" && mode != "host")
    return base::fail(base::Code::kInvalidArgument, fmt::format("`{}` isn't a mode: use ingress or host", mode));
  text_at(node, "name", problems);
  text_at(node, "app_protocol", problems);
  if (port.target.empty())
    return base::fail(base::Code::kInvalidArgument, "a port has no `target`: name the container's port");
  ASSIGN_OR_RETURN(auto mappings, expand_port(port));
  for (auto& mapping : mappings) mapping.set_host_only(mode == "host");
  return mappings;
}

// The sub-map of a mount that goes with its type; the others would mean nothing.
void check_mount_part(const Node& mount, std::string_view part, bool fits, const KeyTable& keys, Problems& problems) {
  const auto* node = mount.find(part);
  if (!node || !expect_map(*node, part, problems)) return;
  if (!fits) return problems.add(node->at, fmt::format("`{}` belongs to a volume of type {}: remove it", part, part));
  check_keys(*node, keys, problems);
}

std::optional<v1::Mount::Type> mount_type(const std::string& name) {
  if (name == "volume") return v1::Mount::VOLUME;
  if (name == "bind") return v1::Mount::BIND;
  if (name == "tmpfs") return v1::Mount::TMPFS;
  return std::nullopt;
}

base::Result<> fill_bind(const Node& bind, v1::Mount& mount, Problems& problems) {
  if (const auto word = text_at(bind, "propagation", problems); !word.empty()) {
    if (!is_propagation(word))
      return base::fail(
          base::Code::kInvalidArgument,
          fmt::format("`{}` isn't a propagation: use rprivate, rshared, rslave or one without the r", word));
    mount.set_propagation(word);
  }
  const auto recursive = text_at(bind, "recursive", problems, "enabled");
  if (recursive != "enabled" && recursive != "disabled")
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("`recursive: {}` isn't supported: use enabled or disabled", recursive));
  mount.set_not_recursive(recursive == "disabled");
  return {};
}

base::Result<> fill_source(const Node& node, v1::Mount& mount, LoadContext& context) {
  Problems& problems = context.problems;
  const auto source = text_at(node, "source", problems);
  if (mount.type() == v1::Mount::TMPFS) {
    const auto* tmpfs = node.find("tmpfs");
    if (const auto* size = tmpfs ? find_value(*tmpfs, "size") : nullptr)
      mount.set_tmpfs_bytes(read_bytes(*size, "size", problems).value_or(0));
    if (const auto* mode = tmpfs ? find_value(*tmpfs, "mode") : nullptr) {
      const auto parsed = parse_file_mode(mode->text);
      if (!parsed) problems.add(mode->at, parsed.error().message);
      mount.set_tmpfs_mode(parsed.value_or(0));
    }
    if (source.empty()) return {};
    return base::fail(base::Code::kInvalidArgument, "a tmpfs has no source: remove `source`");
  }
  if (mount.type() == v1::Mount::VOLUME) {
    mount.set_source(source);
    return {};
  }
  if (source.empty())
    return base::fail(base::Code::kInvalidArgument, "a bind mount has no `source`: name the path on the node");
  const auto* bind = node.find("bind");
  mount.set_create_host_path(bind && bind->is_map() ? flag_at(*bind, "create_host_path", true, problems) : true);
  if (bind && bind->is_map()) RETURN_IF_ERROR(fill_bind(*bind, mount, problems));
  ASSIGN_OR_RETURN(*mount.mutable_source(), resolve_host_path(source, context.folders_of(node.find("source")->at)));
  return {};
}

base::Result<v1::Mount> load_long_mount(const Node& node, LoadContext& context) {
  Problems& problems = context.problems;
  check_keys(node, kMountKeys, problems);
  v1::Mount mount;
  const auto type_name = text_at(node, "type", problems);
  const auto type = mount_type(type_name);
  if (!type)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("the volume type `{}` isn't supported: use volume, bind or tmpfs", type_name));
  mount.set_type(*type);
  check_mount_part(node, "bind", type == v1::Mount::BIND, kBindKeys, problems);
  check_mount_part(node, "volume", type == v1::Mount::VOLUME, kMountVolumeKeys, problems);
  check_mount_part(node, "tmpfs", type == v1::Mount::TMPFS, kTmpfsKeys, problems);
  ASSIGN_OR_RETURN(*mount.mutable_target(), normal_target(text_at(node, "target", problems)));
  mount.set_read_only(flag_at(node, "read_only", false, problems));
  RETURN_IF_ERROR(fill_source(node, mount, context));
  return mount;
}

}  // namespace

void load_ports(const Node& list, v1::ContainerSpec& container, LoadContext& context) {
  if (!expect_list(list, "ports", context.problems)) return;
  std::set<std::tuple<std::string, std::uint32_t, std::uint32_t, std::string>> seen;
  for (const auto& item : list.items) {
    if (!item.is_map() && !item.is_scalar()) {
      context.problems.add(item.at, fmt::format("a port must be text or a map, not {}", item.describe()));
      continue;
    }
    auto mappings = item.is_map() ? load_long_port(item, context.problems) : parse_ports(item.text);
    if (!mappings) {
      context.problems.add(item.at, mappings.error().message);
      continue;
    }
    // Said twice, as by a short form in one file and a long one in the next, it is still one.
    for (auto& port : *mappings)
      if (seen.emplace(port.host_ip(), port.host_port(), port.container_port(), port.protocol()).second)
        *container.add_ports() = std::move(port);
  }
}

void load_mounts(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  const auto add = [&](const Node& item, base::Result<v1::Mount> mount) {
    if (!mount) return context.problems.add(item.at, mount.error().message);
    *container.add_mounts() = *std::move(mount);
  };
  if (const auto* list = find_value(service, "volumes"); list && expect_list(*list, "volumes", context.problems)) {
    for (const auto& item : list->items) {
      if (item.is_map() || item.is_scalar()) {
        add(item, item.is_map() ? load_long_mount(item, context) : parse_mount(item.text, context.folders_of(item.at)));
      } else {
        context.problems.add(item.at, fmt::format("a volume must be text or a map, not {}", item.describe()));
      }
    }
  }
  const auto* tmpfs = find_value(service, "tmpfs");
  if (!tmpfs) return;
  if (tmpfs->is_scalar()) return add(*tmpfs, parse_tmpfs(tmpfs->text));
  if (!expect_list(*tmpfs, "tmpfs", context.problems)) return;
  for (const auto& item : tmpfs->items)
    if (const auto text = read_text(item, "tmpfs", context.problems)) add(item, parse_tmpfs(*text));
}

}  // namespace orchion::spec
