#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "spec/project_reader.h"

namespace orchion::spec {

// Replaces `include` at the top of a file by what the named files describe. Each entry is a project of its own, with
// its folder and `.env`, whose variables the including project's win over. What both describe must be the same.
class IncludeResolver {
 public:
  IncludeResolver(ProjectReader& reader, const Project& project);

  void run(Node& root);

 private:
  struct Entry {
    std::vector<std::filesystem::path> files;
    Project project;
    std::vector<Node> roots;
  };

  std::optional<Entry> read_entry(const Node& node);
  bool read_files(const Node& node, Entry& entry);
  bool settle_project(const Node& node, Entry& entry);
  void bring_in_own(Node& root, Node& included, const Position& at);
  void bring_in_word(Node& root, std::string_view key, const Node& word, const Position& at);
  void bring_in_entries(Node& ours, Node& theirs);
  void bring_in(Node& root, Node included, const Position& at);

  ProjectReader& reader_;
  LoadContext& context_;
  const Project& project_;
};

}  // namespace orchion::spec
