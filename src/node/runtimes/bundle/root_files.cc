#include "node/runtimes/bundle/root_files.h"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "node/runtimes/bundle/container_user.h"
#include "node/runtimes/bundle/layer_files.h"
#include "node/runtimes/bundle/linux_capabilities.h"
#include "node/runtimes/bundle/shim_image.h"
#include "node/runtimes/bundle/user_ranges.h"
#include "node/runtimes/memory_files.h"
#include "node/runtimes/network_files.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::bundle {

namespace {

using base::Code;
using base::Result;

// A file of the image that may be missing.
Result<std::string> optional_layer_file(const ContainerConfig& config, const char* path) {
  auto content = read_layer_file(config.layers, path);
  if (!content && content.error().code == Code::kNotFound) return std::string();
  return content;
}

Result<ContainerUser> user_of(const ContainerConfig& config) {
  ASSIGN_OR_RETURN(const auto passwd, optional_layer_file(config, "etc/passwd"));
  ASSIGN_OR_RETURN(const auto group, optional_layer_file(config, "etc/group"));
  ASSIGN_OR_RETURN(auto user, resolve_user(config.user, passwd, group));
  for (const auto& name : config.additional_groups) {
    ASSIGN_OR_RETURN(const auto gid, resolve_group(name, group));
    if (std::find(user.additional_gids.begin(), user.additional_gids.end(), gid) == user.additional_gids.end())
      user.additional_gids.push_back(gid);
  }
  return user;
}

// The root folder itself belongs to the upper layer: as the image has it, or nobody but root could enter it.
Result<> copy_root_owner(const std::filesystem::path& layer, const std::filesystem::path& upper,
                         std::uint32_t first_user) {
  struct stat info{};
  if (::stat(layer.c_str(), &info) != 0)
    return base::fail_errno(errno, fmt::format("cannot read the image's layer {}", layer.string()));
  // Whoever isn't in the container's range is nobody in it.
  constexpr std::uint32_t kNobody = 65534;
  const auto moved = [&](std::uint32_t owner) {
    return first_user == 0 || owner < kUsersOfContainer ? first_user + owner : first_user + kNobody;
  };
  if (::chown(upper.c_str(), moved(info.st_uid), moved(info.st_gid)) != 0 ||
      ::chmod(upper.c_str(), info.st_mode & 07777) != 0)
    return base::fail_errno(errno, fmt::format("cannot set the owner of {}", upper.string()));
  return {};
}

Result<> link_layers(const std::vector<std::filesystem::path>& layers, const std::filesystem::path& folder) {
  RETURN_IF_ERROR(base::make_folders(folder));
  std::size_t number = 0;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer, ++number) {
    const auto link = folder / std::to_string(number);
    if (::symlink(layer->c_str(), link.c_str()) == 0) continue;
    if (errno != EEXIST) return base::fail_errno(errno, fmt::format("cannot link {}", link.string()));
  }
  return {};
}

Result<> look_up_disks(const BlockIo& io, OciContext& context) {
  ASSIGN_OR_RETURN(context.weights, find_rates(io.weights));
  ASSIGN_OR_RETURN(context.read_bytes, find_rates(io.read_bytes));
  ASSIGN_OR_RETURN(context.read_operations, find_rates(io.read_operations));
  ASSIGN_OR_RETURN(context.write_bytes, find_rates(io.write_bytes));
  ASSIGN_OR_RETURN(context.write_operations, find_rates(io.write_operations));
  return {};
}

}  // namespace

Result<> check_image(const ContainerConfig& config) {
  if (config.layers.empty())
    return base::fail(Code::kInvalidArgument, "a container needs an image with at least one layer");
  if (config.arguments.empty())
    return base::fail(Code::kInvalidArgument, "the image has no command: give the service one");
  return {};
}

Result<> fill_root_files(const BundlePlace& place, const ContainerConfig& config, std::uint32_t first_user) {
  for (const char* name : {shim::kUpperFolder, shim::kWorkFolder, shim::kRootFolder})
    RETURN_IF_ERROR(base::make_folders(place.folder / name));
  RETURN_IF_ERROR(copy_root_owner(config.layers.back(), place.folder / shim::kUpperFolder, first_user));
  RETURN_IF_ERROR(link_layers(config.layers, place.folder / shim::kLayersFolder));
  return write_network_files(place.folder, config);
}

Result<> fill_memory_files(const BundlePlace& place, const ContainerConfig& config, std::uint32_t first_user) {
  if (config.files.empty()) return {};
  ASSIGN_OR_RETURN(const auto user, user_of(config));
  auto files = config.files;
  for (auto& file : files) {
    file.uid = first_user + file.uid.value_or(user.uid);
    file.gid = first_user + file.gid.value_or(user.gid);
  }
  return write_memory_files(place.files, files, {});
}

Result<OciContext> find_oci_context(const BundlePlace& place, const ContainerConfig& config,
                                    const CgroupLayout& cgroups) {
  OciContext context;
  ASSIGN_OR_RETURN(context.user, user_of(config));
  ASSIGN_OR_RETURN(context.capabilities, effective_capabilities(config.cap_add, config.cap_drop));
  if (config.privileges.everything) context.capabilities = available_capabilities();
  ASSIGN_OR_RETURN(context.devices, find_devices(config.devices));
  if (config.privileges.everything) context.devices = all_devices();
  RETURN_IF_ERROR(look_up_disks(config.limits.block_io, context));
  context.files = place.files;
  context.init = place.shims / shim_file_name();
  if (cgroups.mode != CgroupLayout::Mode::kNone) context.cgroup = place.cgroup;
  context.bundle = place.folder;
  context.limits_swap = cgroups.limits_swap;
  return context;
}

Result<std::string> find_exec_json(const BundlePlace& place, std::int64_t pid, const ExecConfig& config) {
  ASSIGN_OR_RETURN(const auto oci_config, base::read_file(place.folder / shim::kConfigFile));
  if (config.user.empty()) return oci_exec_json(oci_config, config, nullptr);
  // As the files are now: the container may have added users.
  const std::filesystem::path root = fmt::format("/proc/{}/root", pid);
  const auto passwd = read_file_below(root, "etc/passwd").value_or("");
  const auto group = read_file_below(root, "etc/group").value_or("");
  ASSIGN_OR_RETURN(const auto user, resolve_user(config.user, passwd, group));
  return oci_exec_json(oci_config, config, &user);
}

}  // namespace orchion::node::runtimes::bundle
