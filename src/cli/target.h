#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "core/naming.h"
#include "spec/loader.h"

namespace orchion::cli {

// Which files describe the stack, as the user said it.
struct FileOptions {
  std::vector<std::string> files;  // -f; empty: those of the working folder
  std::vector<std::string> env_files;
  std::vector<std::string> profiles;  // active ones, beside COMPOSE_PROFILES
  std::string project_folder;         // empty: the first file's
  bool allow_outside_files = false;   // what the files name may lie outside the project folder
};

// Loads them in the working folder with this process's environment. Warnings go to standard error.
base::Result<spec::LoadedStack> load_stack(Context& context, const FileOptions& options);

// The stack a command is about: --stack, else what the files of the working folder name; kInvalidArgument with what
// to do where there are none, kFailedPrecondition where they are wrong.
base::Result<std::string> find_stack(Context& context, const FileOptions& options = {});

// "shop/web.2", or "web" with the stack found as above.
base::Result<core::Address> find_address(Context& context, const std::string& what);

// What the API calls a task of that address: "web.2" or "web", "encode.7.0" of a run.
std::string task_reference(const core::Address& address);

}  // namespace orchion::cli
