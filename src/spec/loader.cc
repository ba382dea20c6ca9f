#include "spec/loader.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "core/naming.h"
#include "spec/env_file.h"
#include "spec/merge.h"
#include "spec/stack_loader.h"
#include "spec/yaml_reader.h"

namespace orchion::spec {

namespace {

using base::Code;
using base::Result;
using std::filesystem::path;

constexpr std::string_view kNameVariable = "COMPOSE_PROJECT_NAME";
constexpr std::size_t kFilesMax = 100;

// One load, from the options to the merged tree; then the stack loader takes over.
class Loading {
 public:
  Loading(const FileSystem& files, const LoadOptions& options) : files_(files), options_(options) {}

  // Reads everything and settles the name.
  Result<> begin() {
    paths_ = options_.files;
    if (paths_.empty()) {
      ASSIGN_OR_RETURN(paths_, find_files(files_, options_.working_folder));
    }
    if (paths_.size() > kFilesMax)
      return base::fail(Code::kInvalidArgument, fmt::format("more than {} files were named: name fewer", kFilesMax));
    settle_project_folder();
    variables_ = options_.environment;
    RETURN_IF_ERROR(read_variables());
    for (const auto& file : paths_) RETURN_IF_ERROR(read(file));
    return settle_name();
  }

  Result<LoadedStack> finish() {
    LoadContext context{files_, [this](const std::string& name) { return find(name); },
                        HostFolders{project_folder_, find("HOME").value_or("")}, options_.allow_outside_files};
    Node merged = merge(context);
    RETURN_IF_ERROR(context.problems.result());
    auto spec = load_stack(merged, options_.profiles, context);
    RETURN_IF_ERROR(context.problems.result());
    return LoadedStack{name_, std::move(spec), std::move(context.warnings), project_folder_, paths_};
  }

  const std::string& name() const { return name_; }

 private:
  std::optional<std::string> find(const std::string& name) const {
    const auto it = variables_.find(name);
    return it == variables_.end() ? std::nullopt : std::optional(it->second);
  }

  path absolute(const path& file) const { return file == "-" ? file : options_.working_folder / file; }

  void settle_project_folder() {
    const path first = absolute(paths_.front());
    project_folder_ = options_.project_folder ? options_.working_folder / *options_.project_folder
                      : first == "-"          ? options_.working_folder
                                              : first.parent_path();
    project_folder_ = project_folder_.lexically_normal();
    if (!project_folder_.has_filename() && project_folder_.has_relative_path())
      project_folder_ = project_folder_.parent_path();
  }

  Result<> read_variables() {
    auto env_files = options_.env_files;
    if (env_files.empty()) {
      if (!files_.exists(project_folder_ / ".env")) return {};
      env_files.push_back(project_folder_ / ".env");
    }
    Variables from_files;
    const Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
      if (auto value = find(name)) return value;
      const auto it = from_files.find(name);
      return it == from_files.end() ? std::nullopt : std::optional(it->second);
    };
    for (const auto& file : env_files) {
      ASSIGN_OR_RETURN(const auto text, files_.read(absolute(file), ReadLimits{}.bytes_max));
      const auto shown = file.has_parent_path() && options_.env_files.empty() ? file.filename() : file;
      ASSIGN_OR_RETURN(auto parsed, parse_env_file(text, shown.string(), lookup));
      for (auto& variable : parsed) from_files[variable.name] = std::move(variable.value);
    }
    variables_.merge(from_files);  // what the shell says stays
    return {};
  }

  Result<> read(const path& file) {
    auto text = files_.read(absolute(file), ReadLimits{}.bytes_max);
    if (!text && text.error().code == Code::kNotFound)
      return base::fail(Code::kNotFound,
                        fmt::format("there is no file {}: name an existing one with -f", file.string()));
    if (!text) return std::unexpected(text.error());
    ASSIGN_OR_RETURN(auto root, read_yaml(*text, file.string()));
    if (!root.is_map())
      return base::fail(Code::kInvalidArgument, fmt::format("{}: a Compose file is a map with `services`, not {}",
                                                            root.at.text(), root.describe()));
    roots_.push_back(std::move(root));
    return {};
  }

  Result<> settle_name() {
    Position at;
    if (options_.stack_name) {
      name_ = *options_.stack_name;
    } else if (const auto variable = find(std::string(kNameVariable)); variable && !variable->empty()) {
      name_ = *variable;
    } else {
      RETURN_IF_ERROR(name_from_files(at));
    }
    if (name_.empty()) name_ = normal_stack_name(project_folder_.filename().string());
    if (!core::is_dns_label(name_))
      return base::fail(
          Code::kInvalidArgument,
          fmt::format("{}`{}` can't be the name of a stack: use at most {} of a-z, 0-9 and `-`, beginning and "
                      "ending with a letter or digit, in `name:` or with --stack",
                      at.file ? at.text() + ": " : "", name_, core::kNameBytesMax));
    variables_.insert_or_assign(std::string(kNameVariable), name_);
    return {};
  }

  Result<> name_from_files(Position& at) {
    const Lookup lookup = [this](const std::string& name) { return find(name); };
    for (const auto& root : roots_) {
      const auto* node = root.find("name");
      if (!node || node->is_null()) continue;
      auto filled = interpolate(node->text, lookup);
      if (!filled) return std::unexpected(filled.error().with_context(node->at.text()));
      name_ = std::move(filled->text);
      at = node->at;
    }
    return {};
  }

  Node merge(LoadContext& context) {
    TreeInterpolator interpolator(context.lookup, context.problems, context.warnings);
    for (auto& root : roots_) interpolator.run(root);
    Node merged = std::move(roots_.front());
    for (auto it = roots_.begin() + 1; it != roots_.end(); ++it) merge_into(merged, std::move(*it), context.problems);
    resolve_tags(merged, context.problems);
    return merged;
  }

  const FileSystem& files_;
  const LoadOptions& options_;
  std::vector<path> paths_;
  path project_folder_;
  Variables variables_;
  std::vector<Node> roots_;
  std::string name_;
};

}  // namespace

Result<LoadedStack> load(const FileSystem& files, const LoadOptions& options) {
  Loading loading(files, options);
  RETURN_IF_ERROR(loading.begin());
  return loading.finish();
}

Result<std::string> find_stack_name(const FileSystem& files, const LoadOptions& options) {
  Loading loading(files, options);
  RETURN_IF_ERROR(loading.begin());
  return loading.name();
}

Result<std::vector<path>> find_files(const FileSystem& files, const path& folder) {
  for (const std::string stem : {"compose", "docker-compose"}) {
    for (const std::string ending : {".yaml", ".yml"}) {
      if (!files.exists(folder / (stem + ending))) continue;
      std::vector<path> found = {stem + ending};
      for (const std::string over : {".override.yaml", ".override.yml"}) {
        if (!files.exists(folder / (stem + over))) continue;
        found.emplace_back(stem + over);
        break;
      }
      return found;
    }
  }
  return base::fail(Code::kNotFound, fmt::format("there is no compose.yaml in {}: go to its folder, or name it with -f",
                                                 folder.string()));
}

std::string normal_stack_name(std::string_view folder) {
  std::string name;
  for (const char c : folder) {
    const char low = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool letter_or_digit = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
    if (letter_or_digit) name += low;
    if ((low == '-' || low == '_') && !name.empty()) name += '-';
  }
  name.resize(std::min(name.size(), core::kNameBytesMax));
  while (name.ends_with('-')) name.pop_back();
  return name;
}

}  // namespace orchion::spec
