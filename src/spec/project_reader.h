#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spec/context.h"
#include "spec/interpolation.h"
#include "spec/node.h"

namespace orchion::spec {

// The files of one project: those a user names, or those of one entry of `include`.
struct Project {
  std::filesystem::path folder;  // relative paths begin here
  Variables variables;
  std::vector<std::filesystem::path> trail;  // the files that include it, outermost first: to tell circles
};

// What is left of what one load may cost, over all files together.
struct ReadBudget {
  std::size_t files = 100;
  std::size_t bytes = 4u << 20;
  std::size_t nodes = 200'000;
};

// Reads files and puts them together: variables filled in, `extends` and `include` resolved, the files of a project
// laid upon each other. One for a load. What is wrong goes to the context's problems.
class ProjectReader {
 public:
  explicit ProjectReader(LoadContext& context);

  // One file as it stands; nullopt where it can't be read, or isn't a map. `shown` names it in messages. kNotFound is
  // `missing`, a sentence at `at`.
  struct FileName {
    std::filesystem::path path;
    std::string shown;
    Position at = {};
    std::string missing;
  };
  std::optional<Node> parse(const FileName& file);

  // The files' trees, in the order in which they are laid upon each other, as one.
  Node assemble(std::vector<Node> roots, const Project& project);

 private:
  friend class ExtendsResolver;
  friend class IncludeResolver;

  // False, with a problem, where a copy of `nodes` parts would be too much.
  bool spend(std::size_t nodes, const Position& at);

  LoadContext& context_;
  ReadBudget budget_;
  bool exhausted_ = false;  // said once; nothing more is read
  TreeInterpolator interpolator_;
};

// "NAME=VALUE" files under what is already set; a later file wins over an earlier one.
base::Result<Variables> with_env_files(Variables variables, const std::vector<std::filesystem::path>& env_files,
                                       const LoadContext& context);

}  // namespace orchion::spec
