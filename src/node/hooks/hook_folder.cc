#include "node/hooks/hook_folder.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "base/file.h"
#include "node/hooks/node_hook.h"

namespace orchion::node::hooks {

namespace fs = std::filesystem;
using base::Result;

namespace {

// None where there is no such folder; one that can't be read may hold some.
Result<std::vector<fs::path>> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (fs::directory_iterator entries(folder, failed); !failed && entries != fs::end(entries);
       entries.increment(failed)) {
    if (entries->path().extension() == ".json") files.push_back(entries->path());
  }
  if (failed && failed != std::errc::no_such_file_or_directory)
    return base::fail_errno(failed.value(), "cannot read the node's hooks in " + folder.string());
  std::ranges::sort(files);
  return files;
}

}  // namespace

Result<> add_node_hooks(const fs::path& folder, runtimes::ContainerConfig& config) {
  ASSIGN_OR_RETURN(const auto files, files_of(folder));
  for (const auto& file : files) {
    const auto text = base::read_file(file);
    const auto hook = text ? parse_node_hook(*text) : Result<NodeHook>(std::unexpected(text.error()));
    if (!hook)
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("the node's hook {} can't be used: {}: mend it or take it away", file.string(),
                                    hook.error().message));
    if (!matches(*hook, config)) continue;
    for (const auto& stage : hook->stages) {
      config.hooks.push_back(hook->hook);
      config.hooks.back().stage = stage;
    }
  }
  return {};
}

}  // namespace orchion::node::hooks
