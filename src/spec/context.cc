#include "spec/context.h"

#include <fmt/core.h>

namespace orchion::spec {

namespace {

bool is_inside(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

std::optional<std::filesystem::path> LoadContext::readable_path(const std::string& name, const Position& at,
                                                                std::string_view what) {
  const auto resolved = resolve_host_path(name, folders_of(at));
  if (!resolved) {
    problems.add(at, resolved.error().message);
    return std::nullopt;
  }
  if (allow_outside_files || is_inside(files.resolve(*resolved), files.resolve(project_folder))) return *resolved;
  problems.add(at, fmt::format("{} {} is outside the project folder: move it inside, or allow it with "
                               "--allow-outside-files",
                               what, name));
  return std::nullopt;
}

std::string LoadContext::shown(const std::filesystem::path& file) const {
  const auto relative = file.lexically_relative(working_folder);
  return relative.empty() || *relative.begin() == ".." ? file.string() : relative.string();
}

}  // namespace orchion::spec
