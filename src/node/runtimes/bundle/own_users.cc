#include "node/runtimes/bundle/own_users.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/process.h"
#include "base/user_namespace.h"
#include "node/runtimes/bundle/shim_image.h"
#include "node/runtimes/bundle/user_ranges.h"
#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::bundle {

namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;

// Since then overlayfs takes layers whose owners are moved.
constexpr int kKernelMajor = 5, kKernelMinor = 19;

bool is_kernel_old() {
  utsname name{};
  if (::uname(&name) != 0) return true;
  char* rest = nullptr;
  const auto major = std::strtol(name.release, &rest, 10);
  const auto minor = *rest == '.' ? std::strtol(rest + 1, nullptr, 10) : 0;
  return major < kKernelMajor || (major == kKernelMajor && minor < kKernelMinor);
}

// Why the owners of one of these can't be moved; empty: they can.
Result<std::string> try_users(const fs::path& shim, std::uint32_t first, const std::vector<std::string>& binds) {
  base::Command command{
      .arguments = {shim.string(), "try-users", std::to_string(first), std::to_string(kUsersOfContainer)}};
  command.arguments.insert(command.arguments.end(), binds.begin(), binds.end());
  ASSIGN_OR_RETURN(const auto output, base::run_process(command));
  if (output.exit_code == 0) return std::string();
  return output.standard_output.empty() ? "its kernel makes no user namespaces" : output.standard_output;
}

// As the shim's record has it.
std::string to_bind(const MountPoint& point, bool mapped) {
  std::string flags(mapped ? 1 : 0, shim::users::kBindMapped);
  if (point.recursive) flags += shim::users::kBindRecursive;
  if (point.read_only) flags += shim::users::kBindReadOnly;
  const auto add = [&](const char* name, char flag) {
    if (std::find(point.flags.begin(), point.flags.end(), name) != point.flags.end()) flags += flag;
  };
  add("nosuid", shim::users::kBindNoSuid);
  add("nodev", shim::users::kBindNoDev);
  add("noexec", shim::users::kBindNoExec);
  return fmt::format("{} {}", flags.empty() ? "-" : flags, point.source.native());
}

// Secrets belong to their readers already: they lie on a tmpfs, whose owners older kernels don't move.
bool is_own_file(const MountPoint& point, const OciContext& context) {
  return !context.files.empty() && point.source.parent_path() == context.files;
}

std::vector<std::string> to_binds(const ContainerConfig& config, const OciContext& context) {
  std::vector<std::string> binds;
  for (const auto& point : mount_points(config, context)) {
    if (point.type == MountPoint::Type::kBind) binds.push_back(to_bind(point, !is_own_file(point, context)));
  }
  return binds;
}

Result<> check_numbers(const ContainerConfig& config, const OciContext& context) {
  const auto check = [](const std::string& what, std::uint32_t number) -> Result<> {
    if (number < kUsersOfContainer) return {};
    return base::fail(Code::kInvalidArgument,
                      fmt::format("{} is {}, but a container with users of its own has 0 to {}: choose another, or "
                                  "remove `userns_mode`",
                                  what, number, kUsersOfContainer - 1));
  };
  RETURN_IF_ERROR(check("its user", context.user.uid));
  RETURN_IF_ERROR(check("its group", context.user.gid));
  for (const auto gid : context.user.additional_gids) RETURN_IF_ERROR(check("one of its groups", gid));
  for (const auto& file : config.files) {
    RETURN_IF_ERROR(check("the owner of " + file.target.string(), file.uid.value_or(0)));
    RETURN_IF_ERROR(check("the group of " + file.target.string(), file.gid.value_or(0)));
  }
  for (const auto& device : context.devices) {
    RETURN_IF_ERROR(check("the owner of " + device.path, device.uid));
    RETURN_IF_ERROR(check("the group of " + device.path, device.gid));
  }
  return {};
}

}  // namespace

std::string lack_of_users(const fs::path& shim, const fs::path& folder) {
  if (base::is_in_user_namespace()) return "its orchion runs without root, and has no users to give";
  if (is_kernel_old()) return fmt::format("its kernel is older than {}.{}", kKernelMajor, kKernelMinor);
  const auto why = try_users(shim, UserPool().first, {fmt::format("{} {}", shim::users::kBindMapped, folder.native())});
  return why ? *why : why.error().message;
}

Result<> check_own_users(const ContainerConfig& config) {
  const auto refuse = [](std::string_view what, std::string_view why) {
    return base::fail(
        Code::kInvalidArgument,
        fmt::format("a container with users of its own can't have {}, {}: remove it, or `userns_mode`", what, why));
  };
  if (config.privileges.everything) return refuse("everything of the node", "since its root is nobody there");
  if (config.host_namespaces.pid) return refuse("the node's processes", "since its root may not mount their /proc");
  if (config.host_namespaces.ipc) return refuse("the node's ipc", "since its root may not mount their queues");
  return {};
}

Result<> make_mounts_folder(const fs::path& folder) {
  constexpr int kReachable = 0711;
  RETURN_IF_ERROR(base::make_folders(folder, kReachable));
  // What lies beside it is closed by its own modes.
  for (const auto& own : {folder, folder.parent_path()}) {
    if (::chmod(own.c_str(), kReachable) != 0)
      return base::fail_errno(errno, fmt::format("cannot open {}", own.string()));
  }
  for (auto above = folder.parent_path(); above != above.root_path(); above = above.parent_path()) {
    struct stat info{};
    if (::stat(above.c_str(), &info) != 0 || (info.st_mode & S_IXOTH) == 0)
      return base::fail(
          Code::kFailedPrecondition,
          fmt::format("containers with users of their own can't reach {0}: `chmod o+x {0}`", above.string()));
  }
  return {};
}

Result<> write_users_record(const BundlePlace& place, const ContainerConfig& config, const OciContext& context) {
  RETURN_IF_ERROR(check_numbers(config, context));
  RETURN_IF_ERROR(make_mounts_folder(context.own_users->folder));
  auto tried = to_binds(config, context);
  std::vector<std::string> binds = tried;
  for (const auto& layer : config.layers)
    tried.push_back(fmt::format("{} {}", shim::users::kBindMapped, layer.native()));
  ASSIGN_OR_RETURN(const auto why, try_users(context.init, context.own_users->first, tried));
  if (!why.empty())
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("this container can't have users of its own here, since {}: mount something else, "
                                  "place it elsewhere, or remove `userns_mode`",
                                  why));
  namespace users = shim::users;
  shim::RecordWriter record;
  record.add(users::kFirst, context.own_users->first);
  record.add(users::kCount, context.own_users->count);
  record.add(users::kFolder, context.own_users->folder.native());
  if (!config.network_namespace.empty()) record.add(users::kNamespace, config.network_namespace.native());
  record.add(users::kEntersNetwork, context.own_users->enters_network ? 1 : 0);
  for (const auto& [name, value] : network_sysctls(config, context)) record.add(users::kSysctl, name + " " + value);
  for (const auto& [name, value] : own_sysctls(config)) record.add(users::kOwnSysctl, name + " " + value);
  for (const auto& bind : binds) record.add(users::kBind, bind);
  for (const auto& device : context.devices)
    record.add(users::kDevice, fmt::format("{} {} {} {:o} {} {}", device.type, device.major, device.minor, device.mode,
                                           device.uid, device.gid));
  if (!record.ok())
    return base::fail(Code::kInvalidArgument, "the container has too many mounts for users of its own: mount fewer");
  return base::write_file(place.folder / shim::kUsersFile, record.text());
}

}  // namespace orchion::node::runtimes::bundle
