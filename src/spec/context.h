#pragma once

#include <set>
#include <string>
#include <vector>

#include "spec/env_file.h"
#include "spec/file_system.h"
#include "spec/mount_syntax.h"
#include "spec/problems.h"

namespace orchion::spec {

// What the parts of the loader share during one load. Not copied; lives on the loader's stack.
struct LoadContext {
  const FileSystem& files;
  Lookup lookup;  // shell, then env files
  HostFolders folders;
  bool allow_outside_files = false;
  Problems problems = {};
  std::vector<std::string> warnings = {};
};

}  // namespace orchion::spec
