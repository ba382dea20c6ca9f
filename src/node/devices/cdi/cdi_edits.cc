#include "node/devices/cdi/cdi_edits.h"

#include <algorithm>

#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/cdi_name.h"
#include "node/devices/cdi/cdi_registry.h"

namespace orchion::node::devices::cdi {

namespace {

using base::Result;

void set_variable(const std::string& setting, std::vector<std::string>& environment) {
  const auto prefix = setting.substr(0, setting.find('=') + 1);
  std::erase_if(environment, [&](const std::string& entry) { return entry.starts_with(prefix); });
  environment.push_back(setting);
}

Result<> fit_node(DeviceNode& node) {
  const auto fail = [&](const char* what) {
    return base::fail(
        base::Code::kFailedPrecondition,
        fmt::format("{} {}: see that the file that describes it is up to date", node.device.source.string(), what));
  };
  struct stat info{};
  if (::stat(node.device.source.c_str(), &info) != 0 || (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode)))
    return fail("is no device of this node");
  const char type = S_ISCHR(info.st_mode) ? 'c' : 'b';
  if ((node.type != '\0' && node.type != type) || node.major.value_or(::major(info.st_rdev)) != ::major(info.st_rdev) ||
      node.minor.value_or(::minor(info.st_rdev)) != ::minor(info.st_rdev))
    return fail("is another device than it should be");
  auto& device = node.device;
  if (device.mode == (info.st_mode & 0777)) device.mode.reset();
  if (device.uid == info.st_uid) device.uid.reset();
  if (device.gid == info.st_gid) device.gid.reset();
  return {};
}

}  // namespace

void apply(const Edits& edits, runtimes::ContainerConfig& config) {
  for (const auto& variable : edits.environment) set_variable(variable, config.environment);
  for (const auto& node : edits.nodes) {
    std::erase_if(config.devices, [&](const auto& device) { return device.target == node.device.target; });
    config.devices.push_back(node.device);
  }
  for (const auto& mount : edits.mounts) {
    std::erase_if(config.mounts, [&](const auto& other) { return other.target == mount.target; });
    config.mounts.push_back(mount);
  }
  config.hooks.insert(config.hooks.end(), edits.hooks.begin(), edits.hooks.end());
  for (const auto& group : edits.groups) {
    if (std::ranges::find(config.additional_groups, group) == config.additional_groups.end())
      config.additional_groups.push_back(group);
  }
}

Result<> fit_to_node(Edits& edits) {
  for (auto& node : edits.nodes) RETURN_IF_ERROR(fit_node(node));
  return {};
}

Result<> resolve_devices(const std::vector<std::filesystem::path>& folders, runtimes::ContainerConfig& config) {
  std::vector<std::string> names;
  std::erase_if(config.devices, [&](const runtimes::Device& device) {
    if (!core::is_cdi_name(device.source.native())) return false;
    names.push_back(device.source.native());
    return true;
  });
  if (names.empty()) return {};
  ASSIGN_OR_RETURN(auto all, Registry::read(folders).resolve(names));
  for (auto& edits : all) {
    RETURN_IF_ERROR(fit_to_node(edits));
    apply(edits, config);
  }
  return {};
}

}  // namespace orchion::node::devices::cdi
