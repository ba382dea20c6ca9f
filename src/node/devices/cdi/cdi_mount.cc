#include "node/devices/cdi/cdi_mount.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "core/quantities.h"

namespace orchion::node::devices::cdi {

namespace {

using base::Result;
using runtimes::MountPoint;

template <std::size_t N>
bool is_one_of(const std::string& text, const char* const (&names)[N]) {
  return std::ranges::find(names, text) != std::end(names);
}

constexpr const char* kPropagations[] = {"private", "rprivate", "slave", "rslave", "shared", "rshared"};
constexpr const char* kFlags[] = {"nosuid", "nodev", "noexec"};

Result<> fail_option(const std::string& option, const std::string& target) {
  return base::fail(base::Code::kInvalidArgument, fmt::format("the option `{}` of {} isn't known", option, target));
}

Result<> add_bind_option(const std::string& option, MountPoint& mount) {
  if (option == "rbind" || option == "bind") {
    mount.recursive = option == "rbind";
  } else if (is_one_of(option, kPropagations)) {
    mount.propagation = option;
  } else if (is_one_of(option, kFlags)) {
    mount.flags.push_back(option);
  } else {
    return fail_option(option, mount.target.string());
  }
  return {};
}

Result<> add_tmpfs_option(const std::string& option, MountPoint& mount) {
  const auto value = option.substr(option.find('=') + 1);
  if (option.starts_with("size=")) {
    const auto bytes = core::parse_bytes(value);
    if (!bytes) return fail_option(option, mount.target.string());
    mount.tmpfs_bytes = *bytes;
  } else if (option.starts_with("mode=")) {
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), mount.tmpfs_mode, 8);
    if (parsed.ec != std::errc() || mount.tmpfs_mode > 07777) return fail_option(option, mount.target.string());
  } else if (option == "noexec" || option.starts_with("uid=") || option.starts_with("gid=")) {
    mount.tmpfs_options.push_back(option);
  } else if (option != "nosuid" && option != "nodev") {  // those two every tmpfs has
    return fail_option(option, mount.target.string());
  }
  return {};
}

}  // namespace

Result<MountPoint> make_mount(const std::string& source, const std::string& target, const std::string& type,
                              const std::vector<std::string>& options) {
  MountPoint mount{.source = source, .target = target};
  if (type == "tmpfs") {
    mount.type = MountPoint::Type::kTmpfs;
  } else if (!type.empty() && type != "bind" && type != "none") {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("the type `{}` of {} isn't bind or tmpfs", type, target));
  } else if (!source.starts_with('/')) {
    return base::fail(base::Code::kInvalidArgument, fmt::format("`hostPath` of {} isn't an absolute path", target));
  }
  for (const auto& option : options) {
    if (option == "ro" || option == "rw") {
      mount.read_only = option == "ro";
    } else if (mount.type == MountPoint::Type::kTmpfs) {
      RETURN_IF_ERROR(add_tmpfs_option(option, mount));
    } else {
      RETURN_IF_ERROR(add_bind_option(option, mount));
    }
  }
  return mount;
}

}  // namespace orchion::node::devices::cdi
