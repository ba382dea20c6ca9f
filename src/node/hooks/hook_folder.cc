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

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (fs::directory_iterator entries(folder, failed); !failed && entries != fs::end(entries);
       entries.increment(failed)) {
    if (entries->path().extension() == ".json") files.push_back(entries->path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

Result<> add_node_hooks(const fs::path& folder, runtimes::ContainerConfig& config) {
  for (const auto& file : files_of(folder)) {
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
