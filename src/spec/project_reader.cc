#include "spec/project_reader.h"

#include <algorithm>

#include <fmt/core.h>

#include "spec/env_file.h"
#include "spec/extends.h"
#include "spec/include.h"
#include "spec/merge.h"
#include "spec/vorc_loader.h"
#include "spec/yaml_reader.h"

namespace orchion::spec {

ProjectReader::ProjectReader(LoadContext& context)
    : context_(context), interpolator_(context.problems, context.warnings) {}

std::optional<Node> ProjectReader::parse(const FileName& file) {
  Problems& problems = context_.problems;
  if (exhausted_) return std::nullopt;
  if (budget_.files == 0) {
    exhausted_ = true;
    problems.add(file.at, fmt::format("more than {} files are read for this stack: use fewer", ReadBudget{}.files));
    return std::nullopt;
  }
  --budget_.files;
  ReadLimits limits;
  const auto text = context_.files.read(file.path, std::min(limits.bytes_max, budget_.bytes));
  if (!text) {
    problems.add(file.at, text.error().code == base::Code::kNotFound ? file.missing : text.error().message);
    return std::nullopt;
  }
  budget_.bytes -= text->size();
  limits.nodes_max = std::min(limits.nodes_max, budget_.nodes);
  auto root = read_yaml(*text, file.shown, limits, problems);
  if (!root && limits.nodes_max < ReadLimits{}.nodes_max) exhausted_ = true;
  if (!root || !spend(root->size(), root->at)) return std::nullopt;
  if (root->is_map()) return root;
  problems.add(root->at, fmt::format("a Compose file is a map with `services`, not {}", root->describe()));
  return std::nullopt;
}

bool ProjectReader::spend(std::size_t nodes, const Position& at) {
  if (exhausted_) return false;
  if (nodes > budget_.nodes) {
    exhausted_ = true;
    context_.problems.add(at, fmt::format("the files have more than {} parts once all are put together: use smaller "
                                          "ones",
                                          ReadBudget{}.nodes));
    return false;
  }
  budget_.nodes -= nodes;
  return true;
}

Node ProjectReader::assemble(std::vector<Node> roots, const Project& project) {
  const Lookup lookup = [variables = project.variables](const std::string& name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    return it == variables.end() ? std::nullopt : std::optional(it->second);
  };
  Node merged;
  for (auto& root : roots) {
    context_.scopes.insert_or_assign(root.at.file, Scope{project.folder, lookup});
    if (is_vorc_file(*root.at.file)) {
      check_vorc(root, context_.problems);
    } else {
      interpolator_.run(root, lookup);
    }
    ExtendsResolver(*this, merged).run(root);
    IncludeResolver(*this, project).run(root);
    if (merged.is_null()) {
      merged = std::move(root);
    } else {
      merge_into(merged, std::move(root), context_.problems);
    }
  }
  resolve_tags(merged, context_.problems);
  return merged;
}

base::Result<Variables> with_env_files(Variables variables, const std::vector<std::filesystem::path>& env_files,
                                       const LoadContext& context) {
  Variables from_files;
  const Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
    if (const auto it = variables.find(name); it != variables.end()) return it->second;
    const auto it = from_files.find(name);
    return it == from_files.end() ? std::nullopt : std::optional(it->second);
  };
  for (const auto& file : env_files) {
    auto text = context.files.read(file, ReadLimits{}.bytes_max);
    if (!text && text.error().code == base::Code::kNotFound)
      return base::fail(base::Code::kNotFound,
                        fmt::format("there is no env file {}: create it, or name another", context.shown(file)));
    if (!text) return std::unexpected(text.error());
    ASSIGN_OR_RETURN(auto parsed, parse_env_file(*text, context.shown(file), lookup));
    for (auto& variable : parsed) from_files[variable.name] = std::move(variable.value);
  }
  variables.merge(from_files);  // what was set before stays
  return variables;
}

}  // namespace orchion::spec
