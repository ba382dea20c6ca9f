#pragma once

// Compose files in, one manifest out.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "spec/build_spec.h"
#include "spec/file_system.h"
#include "spec/interpolation.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

struct LoadOptions {
  std::vector<std::filesystem::path> files;             // empty: COMPOSE_FILE, else what find_files() finds; "-": stdin
  std::filesystem::path working_folder;                 // absolute; relative paths of these options start here
  std::optional<std::filesystem::path> project_folder;  // unset: the first file's
  std::optional<std::string> stack_name;                // unset: COMPOSE_PROJECT_NAME, `name:`, the project folder's
  Variables environment;                                // the shell's; stronger than any file
  std::vector<std::filesystem::path> env_files;         // instead of COMPOSE_ENV_FILES or .env; later ones win
  std::vector<std::string> profiles;                    // active ones, beside COMPOSE_PROFILES; "*": all
  // What the loader itself reads (`include`, `extends`, `env_file`, secrets, configs) may lie outside the project
  // folder. Bind mounts always may: they are paths of the node.
  bool allow_outside_files = false;
};

struct LoadedStack {
  std::string name;
  v1::StackSpec spec;
  std::vector<BuildSpec> builds;      // of the services that are made from source, in the file's order
  std::vector<std::string> warnings;  // sentences, most with a place
  std::filesystem::path project_folder;
  std::vector<std::filesystem::path> files;
};

// Reads, fills in variables, merges, checks. kInvalidArgument holds every mistake found, one a line with file,
// line and column; kNotFound where there is no file.
base::Result<LoadedStack> load(const FileSystem& files, const LoadOptions& options);

// Only the name that load() would give.
base::Result<std::string> find_stack_name(const FileSystem& files, const LoadOptions& options);

// compose.yaml, compose.yml, docker-compose.yaml or docker-compose.yml in `folder`, and its override file
// where there is one; vorc.json where there is none of them. kNotFound names what was looked for.
base::Result<std::vector<std::filesystem::path>> find_files(const FileSystem& files,
                                                            const std::filesystem::path& folder);

// As Compose makes a project's name from a folder's (lower case, other characters dropped), but `_` becomes `-`: names
// of stacks are DNS labels.
std::string normal_stack_name(std::string_view folder);

}  // namespace orchion::spec
