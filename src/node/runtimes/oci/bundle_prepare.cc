// The half of BundleStore that makes bundles.

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "node/runtimes/oci/bundle_store.h"
#include "node/runtimes/oci/container_user.h"
#include "node/runtimes/oci/layer_files.h"
#include "node/runtimes/oci/linux_capabilities.h"
#include "node/runtimes/oci/oci_config.h"
#include "node/runtimes/oci/shim_image.h"
#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::oci {

namespace {

using base::Code;
using base::Result;

// A file of the image that may be missing.
Result<std::string> optional_layer_file(const ContainerConfig& config, const char* path) {
  auto content = read_layer_file(config.layers, path);
  if (!content && content.error().code == Code::kNotFound) return std::string();
  return content;
}

// The root folder itself belongs to the upper layer: as the image has it, or nobody but root could enter it.
Result<> copy_root_owner(const std::filesystem::path& layer, const std::filesystem::path& upper) {
  struct stat info{};
  if (::stat(layer.c_str(), &info) != 0)
    return base::fail_errno(errno, fmt::format("cannot read the image's layer {}", layer.string()));
  if (::chown(upper.c_str(), info.st_uid, info.st_gid) != 0 || ::chmod(upper.c_str(), info.st_mode & 07777) != 0)
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

Result<> BundleStore::prepare(const ContainerConfig& config) {
  ASSIGN_OR_RETURN(const auto before, read(config.id));
  if (config.layers.empty())
    return base::fail(Code::kInvalidArgument, "a container needs an image with at least one layer");
  if (config.arguments.empty())
    return base::fail(Code::kInvalidArgument, "the image has no command: give the service one");
  // Memory doesn't outlive the machine's run, the bundle does.
  if (before && before->whole) return write_files(config);
  auto filled = fill_bundle(config);
  if (!filled) {
    [[maybe_unused]] const auto removed = remove(config.id, /*keep_logs=*/false);
  }
  return filled;
}

Result<> BundleStore::fill_bundle(const ContainerConfig& config) {
  const auto folder = bundle(config.id);
  {
    const std::lock_guard lock(parents_mutex_);
    RETURN_IF_ERROR(base::make_folders(folder));
  }
  for (const char* name : {shim::kUpperFolder, shim::kWorkFolder, shim::kRootFolder})
    RETURN_IF_ERROR(base::make_folders(folder / name));
  RETURN_IF_ERROR(base::make_folders(log_folder(config.id)));
  RETURN_IF_ERROR(copy_root_owner(config.layers.back(), folder / shim::kUpperFolder));
  RETURN_IF_ERROR(link_layers(config.layers, folder / shim::kLayersFolder));
  RETURN_IF_ERROR(write_network_files(config));
  RETURN_IF_ERROR(write_files(config));
  RETURN_IF_ERROR(write_oci_config(config));
  return write_settings(config);
}

// On a tmpfs: what is secret is on no disk. The folder is closed to all but root; the files are as the user asked.
Result<> BundleStore::write_files(const ContainerConfig& config) const {
  if (config.files.empty()) return {};
  ASSIGN_OR_RETURN(const auto user, user_of(config));
  const auto folder = files_folder(config.id);
  RETURN_IF_ERROR(base::make_folders(folder));
  if (::chmod(folder.c_str(), 0700) != 0)
    return base::fail_errno(errno, fmt::format("cannot close {}", folder.string()));
  struct statfs info{};
  if (::statfs(folder.c_str(), &info) != 0)
    return base::fail_errno(errno, fmt::format("cannot look at {}", folder.string()));
  if (info.f_type != TMPFS_MAGIC &&
      ::mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=2m,mode=0700") != 0)
    return base::fail_errno(errno, fmt::format("cannot mount a tmpfs for secrets on {}", folder.string()));
  for (std::size_t i = 0; i < config.files.size(); ++i) {
    const auto& file = config.files[i];
    const auto path = folder / std::to_string(i);
    RETURN_IF_ERROR(base::write_file(path, file.bytes, 0600));
    if (::chown(path.c_str(), file.uid.value_or(user.uid), file.gid.value_or(user.gid)) != 0 ||
        ::chmod(path.c_str(), file.mode) != 0)
      return base::fail_errno(errno, fmt::format("cannot set the owner of {}", path.string()));
  }
  return {};
}

Result<> BundleStore::remove_files(const std::string& id) const {
  const auto folder = files_folder(id);
  if (::access(folder.c_str(), F_OK) != 0) return {};
  ::umount2(folder.c_str(), MNT_DETACH);  // EINVAL where nothing is mounted
  RETURN_IF_ERROR(base::remove_tree(folder));
  ::rmdir(folder.parent_path().c_str());
  return {};
}

Result<ContainerUser> BundleStore::user_of(const ContainerConfig& config) {
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

Result<> BundleStore::write_network_files(const ContainerConfig& config) const {
  const auto folder = bundle(config.id);
  std::string resolv;
  for (const auto& server : config.nameservers) resolv += "nameserver " + server + "\n";
  if (!config.search_domains.empty()) {
    resolv += "search";
    for (const auto& domain : config.search_domains) resolv += " " + domain;
    resolv += "\n";
  }
  if (!config.dns_options.empty()) {
    resolv += "options";
    for (const auto& option : config.dns_options) resolv += " " + option;
    resolv += "\n";
  }
  if (config.nameservers.empty()) {
    if (auto hosts_own = base::read_file("/etc/resolv.conf", 1u << 16)) resolv += *hosts_own;
  }
  std::string hosts =
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n";
  for (const auto& [name, address] : config.hosts) hosts += address + "\t" + name + "\n";
  for (const auto& [name, address] : config.extra_hosts) hosts += address + "\t" + name + "\n";
  RETURN_IF_ERROR(base::write_file(folder / "resolv.conf", resolv, 0644));
  RETURN_IF_ERROR(base::write_file(folder / "hosts", hosts, 0644));
  return base::write_file(folder / "hostname", config.hostname + "\n", 0644);
}

Result<> BundleStore::write_oci_config(const ContainerConfig& config) {
  OciContext context;
  ASSIGN_OR_RETURN(context.user, user_of(config));
  const auto& privileges = config.privileges;
  ASSIGN_OR_RETURN(context.capabilities, effective_capabilities(config.cap_add, config.cap_drop));
  if (privileges.everything) context.capabilities = available_capabilities();
  ASSIGN_OR_RETURN(context.devices, find_devices(config.devices));
  if (privileges.everything) context.devices = all_devices();
  RETURN_IF_ERROR(look_up_disks(config.limits.block_io, context));
  context.files = files_folder(config.id);
  context.init = options_.data_folder / "shim" / shim_file_name();
  context.cgroup = cgroup(config.id);
  context.bundle = bundle(config.id);
  context.limits_swap = cgroups_.limits_swap;
  if (privileges.everything || privileges.no_seccomp)
    return base::write_file(bundle(config.id) / shim::kConfigFile, oci_config_json(config, context));
  if (options_.binary.kind == RuntimeBinary::Kind::kCrun) {
    ASSIGN_OR_RETURN(context.seccomp_bpf_base64, seccomp_.bpf_base64(context.capabilities));
  } else {
    ASSIGN_OR_RETURN(context.seccomp_json, seccomp_.json(context.capabilities));
  }
  return base::write_file(bundle(config.id) / shim::kConfigFile, oci_config_json(config, context));
}

Result<> BundleStore::write_settings(const ContainerConfig& config) const {
  namespace setting = shim::setting;
  const bool is_crun = options_.binary.kind == RuntimeBinary::Kind::kCrun;
  const bool hides_unified = is_crun && cgroups_.mode == CgroupLayout::Mode::kHybrid;
  shim::RecordWriter record;
  record.add(setting::kRuntime, options_.binary.path.native());
  record.add(setting::kRuntimeRoot, runtime_root().native());
  record.add(setting::kIsCrun, is_crun ? 1 : 0);
  record.add(setting::kId, config.id);
  record.add(setting::kLogFolder, log_folder(config.id).native());
  record.add(setting::kLogBytesMax, config.log_bytes_max);
  record.add(setting::kTty, config.tty ? 1 : 0);
  record.add(setting::kStdinOpen, config.stdin_open ? 1 : 0);
  record.add(setting::kLayers, static_cast<std::int64_t>(config.layers.size()));
  record.add(setting::kCgroup, cgroup(config.id));
  record.add(setting::kShimCgroup, cgroup_parent() + "/shims");
  record.add(setting::kHiddenMount, hides_unified ? cgroups_.unified : std::string());
  record.add(setting::kMemoryEvents, cgroups_.memory_events(cgroup(config.id)));
  for (const auto& hierarchy : cgroups_.hierarchies) record.add(setting::kHierarchy, hierarchy);
  if (!record.ok())
    return base::fail(Code::kInvalidArgument, "the data folder's path is too long: choose a shorter one");
  return base::write_file(bundle(config.id) / shim::kSettingsFile, record.text());
}

}  // namespace orchion::node::runtimes::oci
