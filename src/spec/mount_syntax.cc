#include "spec/mount_syntax.h"

#include <vector>

#include <fmt/core.h>

namespace orchion::spec {

namespace {

using base::Code;
using base::fail;
using base::Result;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

Result<> apply_options(std::string_view options, v1::Mount& mount) {
  for (const auto option : split(options, ',')) {
    if (option == "ro") {
      mount.set_read_only(true);
    } else if (option != "rw") {
      return fail(Code::kInvalidArgument,
                  fmt::format("the volume option `{}` isn't supported yet: remove it (there are ro and rw)", option));
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

Result<v1::Mount> parse_mount(std::string_view text, const HostFolders& folders) {
  const auto parts = split(text, ':');
  if (parts.size() == 1 && text.starts_with('/'))
    return fail(Code::kInvalidArgument,
                fmt::format("`{}` has no name: write NAME:{} and add NAME under the top-level `volumes`", text, text));
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
