// `devices` and `device_cgroup_rules` of a service.

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "core/cdi_name.h"
#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

bool is_permissions(std::string_view text) {
  return !text.empty() && text.size() <= 3 && text.find_first_not_of("rwm") == std::string_view::npos;
}

// One by its CDI name has nothing else: what it is to be in the container its vendor says.
std::optional<v1::Device> read_device(const Node& item, Problems& problems) {
  v1::Device device;
  if (item.is_map()) {
    check_keys(item, kDeviceKeys, problems);
    if (const auto* value = find_value(item, "source"))
      device.set_source(read_text(*value, "source", problems).value_or(""));
    if (const auto* value = find_value(item, "target"))
      device.set_target(read_text(*value, "target", problems).value_or(""));
    if (const auto* value = find_value(item, "permissions"))
      device.set_permissions(read_text(*value, "permissions", problems).value_or(""));
  } else if (const auto text = read_text(item, "devices", problems)) {
    if (core::is_cdi_name(*text)) {
      device.set_source(*text);
      return device;
    }
    const auto first = text->find(':');
    device.set_source(text->substr(0, first));
    auto rest = first == std::string::npos ? std::string() : text->substr(first + 1);
    const auto second = rest.find(':');
    if (second != std::string::npos) {
      device.set_target(rest.substr(0, second));
      device.set_permissions(rest.substr(second + 1));
    } else if (is_permissions(rest)) {
      device.set_permissions(rest);
    } else {
      device.set_target(rest);
    }
  } else {
    return std::nullopt;
  }
  if (core::is_cdi_name(device.source())) return device;
  if (device.target().empty()) device.set_target(device.source());
  if (device.permissions().empty()) device.set_permissions("rwm");
  return device;
}

// "c 10:229 rwm", "b *:* r".
bool is_rule(std::string_view text) {
  const auto number = [&](char end) {
    if (text.starts_with('*')) {
      text.remove_prefix(1);
    } else {
      const auto length = std::min(text.find_first_not_of("0123456789"), text.size());
      if (length == 0 || length > 9) return false;
      text.remove_prefix(length);
    }
    if (!text.starts_with(end)) return false;
    text.remove_prefix(1);
    return true;
  };
  if (text.size() < 2 || std::string_view("abc").find(text[0]) == std::string_view::npos || text[1] != ' ')
    return false;
  text.remove_prefix(2);
  return number(':') && number(' ') && is_permissions(text);
}

}  // namespace

void load_devices(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  Problems& problems = context.problems;
  if (const auto* list = find_value(service, "devices"); list && expect_list(*list, "devices", problems)) {
    for (const auto& item : list->items) {
      const auto device = read_device(item, problems);
      if (!device) continue;
      const bool is_named = core::is_cdi_name(device->source());
      if (is_named && !device->target().empty())
        problems.add(item.at, "a device by its CDI name is where its vendor says: remove the target");
      if (is_named) {
        *container.add_devices() = *device;
        continue;
      }
      if (!device->source().starts_with('/') || !device->target().starts_with('/') ||
          !is_permissions(device->permissions()))
        problems.add(item.at,
                     "this isn't a device: write it as /dev/NAME, /dev/NAME:/dev/OTHER, "
                     "/dev/NAME:/dev/OTHER:rwm or vendor.com/class=name");
      *container.add_devices() = *device;
    }
  }
  const auto* rules = find_value(service, "device_cgroup_rules");
  if (!rules || !expect_list(*rules, "device_cgroup_rules", problems)) return;
  for (const auto& item : rules->items) {
    const auto text = read_text(item, "device_cgroup_rules", problems);
    if (text && !is_rule(*text))
      problems.add(item.at, fmt::format("`{}` isn't a device rule: write it as c 10:229 rwm", *text));
    if (text) container.add_device_rules(*text);
  }
}

}  // namespace orchion::spec
