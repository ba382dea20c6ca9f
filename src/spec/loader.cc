#include "spec/loader.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "core/naming.h"
#include "spec/project_reader.h"
#include "spec/stack_loader.h"
#include "spec/vorc_loader.h"

namespace orchion::spec {

namespace {

using base::Code;
using base::Result;
using std::filesystem::path;

constexpr std::string_view kNameVariable = "COMPOSE_PROJECT_NAME";
constexpr std::string_view kFilesVariable = "COMPOSE_FILE";
constexpr std::string_view kSeparatorVariable = "COMPOSE_PATH_SEPARATOR";
constexpr std::string_view kEnvFilesVariable = "COMPOSE_ENV_FILES";
constexpr std::string_view kProfilesVariable = "COMPOSE_PROFILES";
constexpr std::size_t kFilesMax = 100;

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = separator.empty() ? std::string::npos : text.find(separator, begin);
    if (auto part = text.substr(begin, end - begin); !part.empty()) parts.push_back(std::move(part));
    if (end == std::string::npos) break;
    begin = end + separator.size();
  }
  return parts;
}

std::optional<std::string> find_in(const Variables& variables, std::string_view name) {
  const auto it = variables.find(std::string(name));
  return it == variables.end() ? std::nullopt : std::optional(it->second);
}

// One load, from the options to the merged tree; then the stack loader takes over.
class Loading {
 public:
  Loading(const FileSystem& files, const LoadOptions& options)
      : options_(options),
        context_{files, options.working_folder.lexically_normal(), {}, {}, options.allow_outside_files},
        reader_(context_) {}

  // Reads the files that were named and settles the stack's name.
  Result<> begin() {
    RETURN_IF_ERROR(settle_files());
    settle_project_folder();
    RETURN_IF_ERROR(settle_variables());
    context_.project_folder = project_.folder;
    context_.home = find_in(project_.variables, "HOME").value_or("");
    for (const auto& file : paths_) RETURN_IF_ERROR(read(file));
    RETURN_IF_ERROR(context_.problems.result());
    return settle_name();
  }

  Result<LoadedStack> finish() {
    const Node merged = reader_.assemble(std::move(roots_), project_);
    context_.stack = name_;
    auto spec = load_stack(merged, settle_profiles(), context_);
    RETURN_IF_ERROR(context_.problems.result());
    return LoadedStack{name_,           std::move(spec), std::move(context_.builds), std::move(context_.warnings),
                       project_.folder, paths_};
  }

  const std::string& name() const { return name_; }

 private:
  path absolute(const path& file) const {
    return file == "-" ? file : (options_.working_folder / file).lexically_normal();
  }

  // What stands beside the user, asked for the few variables that come before any file.
  Result<std::optional<std::string>> early_variable(std::string_view name) const {
    if (auto value = find_in(options_.environment, name)) return value;
    if (!options_.env_files.empty() || !context_.files.exists(options_.working_folder / ".env")) return std::nullopt;
    ASSIGN_OR_RETURN(const auto variables,
                     with_env_files(options_.environment, {options_.working_folder / ".env"}, context_));
    return find_in(variables, name);
  }

  Result<> settle_files() {
    paths_ = options_.files;
    if (paths_.empty()) {
      ASSIGN_OR_RETURN(const auto named, early_variable(kFilesVariable));
      ASSIGN_OR_RETURN(const auto separator, early_variable(kSeparatorVariable));
      for (const auto& file : split(named.value_or(""), separator.value_or(":"))) paths_.emplace_back(file);
    }
    if (paths_.empty()) {
      ASSIGN_OR_RETURN(paths_, find_files(context_.files, options_.working_folder));
    }
    if (paths_.size() > kFilesMax)
      return base::fail(Code::kInvalidArgument, fmt::format("more than {} files were named: name fewer", kFilesMax));
    return {};
  }

  void settle_project_folder() {
    const path first = absolute(paths_.front());
    project_.folder = options_.project_folder ? options_.working_folder / *options_.project_folder
                      : first == "-"          ? options_.working_folder
                                              : first.parent_path();
    project_.folder = project_.folder.lexically_normal();
    if (!project_.folder.has_filename() && project_.folder.has_relative_path())
      project_.folder = project_.folder.parent_path();
    for (const auto& file : paths_) project_.trail.push_back(absolute(file));
  }

  Result<> settle_variables() {
    std::vector<path> env_files;
    for (const auto& file : options_.env_files) env_files.push_back(absolute(file));
    if (env_files.empty()) {
      const auto named = find_in(options_.environment, kEnvFilesVariable);
      for (const auto& file : split(named.value_or(""), ",")) env_files.push_back(absolute(file));
    }
    if (env_files.empty() && context_.files.exists(project_.folder / ".env"))
      env_files.push_back(project_.folder / ".env");
    ASSIGN_OR_RETURN(project_.variables, with_env_files(options_.environment, env_files, context_));
    return {};
  }

  std::vector<std::string> settle_profiles() const {
    auto profiles = options_.profiles;
    for (auto& profile : split(find_in(project_.variables, kProfilesVariable).value_or(""), ","))
      profiles.push_back(std::move(profile));
    return profiles;
  }

  Result<> read(const path& file) {
    const auto where = absolute(file);
    if (where != "-" && !context_.files.exists(where))
      return base::fail(Code::kNotFound,
                        fmt::format("there is no file {}: name an existing one with -f", file.string()));
    const Position at{std::make_shared<const std::string>(file.string())};
    if (auto root = reader_.parse({where, file.string(), at, "the file is gone: name another with -f"}))
      roots_.push_back(*std::move(root));
    return {};
  }

  Result<> settle_name() {
    Position at;
    if (options_.stack_name) {
      name_ = *options_.stack_name;
    } else if (const auto variable = find_in(project_.variables, kNameVariable); variable && !variable->empty()) {
      name_ = *variable;
    } else {
      RETURN_IF_ERROR(name_from_files(at));
    }
    if (name_.empty()) name_ = normal_stack_name(project_.folder.filename().string());
    if (!core::is_dns_label(name_))
      return base::fail(
          Code::kInvalidArgument,
          fmt::format("{}`{}` can't be the name of a stack: use at most {} of a-z, 0-9 and `-`, beginning and "
                      "ending with a letter or digit, in `name:` or with --stack",
                      at.file ? at.text() + ": " : "", name_, core::kNameBytesMax));
    project_.variables.insert_or_assign(std::string(kNameVariable), name_);
    return {};
  }

  Result<> name_from_files(Position& at) {
    const Lookup lookup = [this](const std::string& name) { return find_in(project_.variables, name); };
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

  const LoadOptions& options_;
  LoadContext context_;
  ProjectReader reader_;
  std::vector<path> paths_;
  Project project_;
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
  if (files.exists(folder / kVorcFile)) return std::vector<path>{kVorcFile};
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
