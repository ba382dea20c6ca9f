#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spec/build_spec.h"
#include "spec/file_system.h"
#include "spec/interpolation.h"
#include "spec/mount_syntax.h"
#include "spec/problems.h"

namespace orchion::spec {

// What a file's relative paths begin at and its variables stand for: its project's, which isn't the stack's own where
// the file was included or extended from.
struct Scope {
  std::filesystem::path folder;  // absolute
  Lookup lookup;                 // shell, then env files
};

// What the parts of the loader share during one load. Not copied; lives on the loader's stack.
struct LoadContext {
  const FileSystem& files;
  std::filesystem::path working_folder;  // for messages: files are named as seen from here
  std::filesystem::path project_folder;  // what the loader reads stays inside it
  std::string home;                      // empty: not known
  bool allow_outside_files = false;
  std::string stack = {};                                           // its name
  std::map<std::shared_ptr<const std::string>, Scope> scopes = {};  // by the file object of positions
  Problems problems = {};
  std::vector<std::string> warnings = {};
  std::vector<BuildSpec> builds = {};  // of the services that are loaded

  const Scope& scope_of(const Position& at) const { return scopes.at(at.file); }
  HostFolders folders_of(const Position& at) const { return {scope_of(at).folder, home}; }

  // The file that `name`, as it stands at `at`, means; nullopt, with a problem added, where it leads out of the
  // project folder and may not. `what` is for the message: "the env file".
  std::optional<std::filesystem::path> readable_path(const std::string& name, const Position& at,
                                                     std::string_view what);

  // As the user would name it.
  std::string shown(const std::filesystem::path& file) const;
};

}  // namespace orchion::spec
