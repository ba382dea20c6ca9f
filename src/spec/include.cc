#include "spec/include.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "spec/keys.h"
#include "spec/values.h"

namespace orchion::spec {

using std::filesystem::path;

namespace {

constexpr std::size_t kDepthMax = 16;

// What an included project brings along; its name and version mean nothing to the stack.
constexpr std::string_view kShared[] = {"services", "networks", "volumes", "secrets", "configs", "models"};

Node& section(Node& root, std::string_view key, const Position& at) {
  if (auto* found = root.find(key)) {
    if (found->is_null()) found->kind = Node::Kind::kMap;
    return *found;
  }
  root.entries.push_back({std::string(key), at, Node{Node::Kind::kMap, at}});
  return root.entries.back().value;
}

}  // namespace

IncludeResolver::IncludeResolver(ProjectReader& reader, const Project& project)
    : reader_(reader), context_(reader.context_), project_(project) {}

void IncludeResolver::run(Node& root) {
  const auto* found = root.find("include");
  if (!found || !found->tag.empty()) return;
  const Node list = *found;
  root.erase("include");
  if (!expect_list(list, "include", context_.problems)) return;
  for (const auto& item : list.items) {
    auto entry = read_entry(item);
    if (entry) bring_in(root, reader_.assemble(std::move(entry->roots), entry->project), item.at);
  }
}

std::optional<IncludeResolver::Entry> IncludeResolver::read_entry(const Node& node) {
  Problems& problems = context_.problems;
  if (!node.is_map() && !node.is_scalar()) {
    problems.add(node.at, fmt::format("an entry of `include` must be text or a map, not {}", node.describe()));
    return std::nullopt;
  }
  if (node.is_map()) check_keys(node, kIncludeKeys, problems);
  Entry entry;
  entry.project.trail = project_.trail;
  if (!read_files(node, entry) || !settle_project(node, entry)) return std::nullopt;
  return entry;
}

bool IncludeResolver::read_files(const Node& node, Entry& entry) {
  Problems& problems = context_.problems;
  const auto* paths = node.is_scalar() ? &node : node.find("path");
  if (!paths || paths->is_null()) {
    problems.add(node.at, "an entry of `include` has no `path`: name the file");
    return false;
  }
  bool good = true;
  for (const auto& name : read_list(*paths, "path", Single::kIsAList, problems)) {
    const auto file = context_.readable_path(name, paths->at, "the included file");
    if (!file) {
      good = false;
      continue;
    }
    if (std::ranges::find(project_.trail, *file) != project_.trail.end() || project_.trail.size() >= kDepthMax) {
      problems.add(paths->at,
                   fmt::format("{} is included from itself, or more than {} deep: break the circle", name, kDepthMax));
      return false;
    }
    auto root = reader_.parse({*file, context_.shown(*file), paths->at,
                               fmt::format("there is no file {} to include: create it, or remove this", name)});
    good = good && root;
    if (!root) continue;
    entry.files.push_back(*file);
    entry.project.trail.push_back(*file);
    entry.roots.push_back(*std::move(root));
  }
  return good && !entry.roots.empty();
}

bool IncludeResolver::settle_project(const Node& node, Entry& entry) {
  Problems& problems = context_.problems;
  entry.project.folder = entry.files.front().parent_path();
  if (const auto* folder = node.find("project_directory"); folder && !folder->is_null()) {
    const auto text = read_text(*folder, "project_directory", problems);
    const auto resolved = text ? context_.readable_path(*text, folder->at, "the folder") : std::nullopt;
    if (!resolved) return false;
    entry.project.folder = *resolved;
  }
  std::vector<path> env_files;
  if (const auto* files = node.find("env_file"); files && !files->is_null()) {
    for (const auto& name : read_list(*files, "env_file", Single::kIsAList, problems)) {
      const auto file = context_.readable_path(name, files->at, "the env file");
      if (!file) return false;
      env_files.push_back(*file);
    }
  } else if (context_.files.exists(entry.project.folder / ".env")) {
    env_files.push_back(entry.project.folder / ".env");
  }
  auto variables = with_env_files(project_.variables, env_files, context_);
  if (!variables) {
    problems.add(node.at, variables.error().message);
    return false;
  }
  entry.project.variables = *std::move(variables);
  return true;
}

void IncludeResolver::bring_in(Node& root, Node included, const Position& at) {
  for (const auto key : kShared) {
    auto* theirs = included.find(key);
    if (!theirs || !expect_map(*theirs, key, context_.problems) || theirs->entries.empty()) continue;
    auto& ours = section(root, key, at);
    if (ours.is_map()) bring_in_entries(ours, *theirs);  // else complained about with the file itself
  }
  bring_in_own(root, included, at);
}

// What stands under `x-orchion`.
void IncludeResolver::bring_in_own(Node& root, Node& included, const Position& at) {
  auto* orchion = included.find("x-orchion");
  if (!orchion || !orchion->is_map()) return;
  for (const std::string_view key : {"jobs", "queues", "network_policies"}) {
    auto* theirs = orchion->find(key);
    if (!theirs || !expect_map(*theirs, key, context_.problems) || theirs->entries.empty()) continue;
    auto& ours = section(root, "x-orchion", at);
    if (!ours.is_map()) return;
    auto& entries = section(ours, key, at);
    if (entries.is_map()) bring_in_entries(entries, *theirs);
  }
  if (const auto* said = orchion->find("network_default")) bring_in_word(root, "network_default", *said, at);
}

// Kept where this file says nothing of it.
void IncludeResolver::bring_in_word(Node& root, std::string_view key, const Node& word, const Position& at) {
  auto& ours = section(root, "x-orchion", at);
  if (ours.is_map() && ours.find(key) == nullptr) ours.entries.push_back({std::string(key), word.at, word});
}

void IncludeResolver::bring_in_entries(Node& ours, Node& theirs) {
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < ours.entries.size(); ++i) known.emplace(ours.entries[i].key, i);
  for (auto& entry : theirs.entries) {
    const auto same = known.find(entry.key);
    if (same == known.end()) {
      ours.entries.push_back(std::move(entry));
    } else if (const Node& own = ours.entries[same->second].value;
               !is_extension(entry.key) && !same_content(own, entry.value)) {
      context_.problems.add(entry.key_at,
                            fmt::format("`{}` stands at {} too, and says something else: rename one, or change it in a "
                                        "file of its own, named with a further -f",
                                        entry.key, own.at.text()));
    }
  }
}

}  // namespace orchion::spec
