#include "spec/mount_syntax.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "base/split.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

using base::Code;
using base::fail;
using base::Result;
using base::split;

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

// What is so anyway: no SELinux labels are made, nothing is copied from the image, Linux caches as it does.
bool means_nothing(std::string_view option) {
  constexpr std::string_view kWords[] = {"rw", "z", "Z", "nocopy", "cached", "delegated", "consistent"};
  return std::ranges::find(kWords, option) != std::end(kWords);
}

Result<> apply_options(std::string_view options, v1::Mount& mount) {
  for (const auto option : split(options, ',')) {
    if (option == "ro") {
      mount.set_read_only(true);
    } else if (is_propagation(option) && mount.type() == v1::Mount::BIND) {
      mount.set_propagation(std::string(option));
    } else if (!means_nothing(option)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("the volume option `{}` isn't supported: use ro, rw or a bind's propagation", option));
    }
  }
  return {};
}

}  // namespace

Result<std::string> resolve_host_path(std::string_view path, const HostFolders& folders) {
  std::filesystem::path resolved(path);
  if (path == "~" || path.starts_with("~/")) {
    if (folders.home.empty())
      return fail(Code::kInvalidArgument, "`~` stands for no folder, because HOME isn't set: write the whole path");
    resolved = std::filesystem::path(folders.home) / (path.size() > 2 ? path.substr(2) : std::string_view());
  } else if (path.starts_with('~')) {
    return fail(Code::kInvalidArgument, fmt::format("`{}` names another user's folder: write the whole path", path));
  }
  return without_trailing_slash((folders.project / resolved).lexically_normal().string());
}

Result<std::string> normal_target(std::string_view path) {
  if (!path.starts_with('/'))
    return fail(Code::kInvalidArgument, fmt::format("the target `{}` isn't an absolute path: begin it with `/`", path));
  return without_trailing_slash(std::filesystem::path(path).lexically_normal().string());
}

bool is_propagation(std::string_view word) {
  constexpr std::string_view kWords[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};
  return std::ranges::find(kWords, word) != std::end(kWords);
}

Result<v1::Mount> parse_tmpfs(std::string_view text) {
  const auto colon = text.find(':');
  v1::Mount mount;
  mount.set_type(v1::Mount::TMPFS);
  ASSIGN_OR_RETURN(*mount.mutable_target(), normal_target(text.substr(0, colon)));
  if (colon == std::string_view::npos) return mount;
  for (const auto option : split(text.substr(colon + 1), ',')) {
    const auto value = option.substr(std::min(option.find('='), option.size() - 1) + 1);
    if (option.starts_with("size=")) {
      ASSIGN_OR_RETURN(const auto bytes, parse_bytes(value));
      mount.set_tmpfs_bytes(bytes);
    } else if (option.starts_with("mode=")) {
      ASSIGN_OR_RETURN(const auto mode, parse_file_mode(value));
      mount.set_tmpfs_mode(mode);
    } else if (option == "ro") {
      mount.set_read_only(true);
    } else if (option == "noexec" ||
               ((option.starts_with("uid=") || option.starts_with("gid=")) && parse_integer(value))) {
      mount.add_tmpfs_options(std::string(option));
    } else if (option != "rw" && option != "nosuid" && option != "nodev" && option != "exec") {
      return fail(Code::kInvalidArgument,
                  fmt::format("the tmpfs option `{}` isn't supported: use size, mode, uid, gid, ro or noexec", option));
    }
  }
  return mount;
}

Result<v1::Mount> parse_mount(std::string_view text, const HostFolders& folders) {
  const auto parts = split(text, ':');
  if (parts.size() == 1 && text.starts_with('/')) {
    v1::Mount anonymous;
    anonymous.set_type(v1::Mount::VOLUME);
    ASSIGN_OR_RETURN(*anonymous.mutable_target(), normal_target(text));
    return anonymous;
  }
  if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || parts[1].empty())
    return fail(Code::kInvalidArgument,
                fmt::format("`{}` isn't a volume: write SOURCE:TARGET or SOURCE:TARGET:ro", text));
  v1::Mount mount;
  const auto source = parts[0];
  if (source.starts_with('/') || source.starts_with('.') || source.starts_with('~')) {
    mount.set_type(v1::Mount::BIND);
    mount.set_create_host_path(true);
    ASSIGN_OR_RETURN(*mount.mutable_source(), resolve_host_path(source, folders));
  } else {
    mount.set_type(v1::Mount::VOLUME);
    mount.set_source(std::string(source));
  }
  ASSIGN_OR_RETURN(*mount.mutable_target(), normal_target(parts[1]));
  if (parts.size() == 3) RETURN_IF_ERROR(apply_options(parts[2], mount));
  return mount;
}

}  // namespace orchion::spec
