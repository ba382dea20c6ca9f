#include "node/runtimes/process/process_runtime.h"

#include <algorithm>

#include "base/file.h"
#include "node/runtimes/bundle/bundle_store.h"
#include "node/runtimes/bundle/shim_image.h"
#include "node/runtimes/process/process_bundle_maker.h"

namespace orchion::node::runtimes::process {

base::Result<std::unique_ptr<ProcessRuntime>> ProcessRuntime::open(base::Executor executor, base::WorkerPool& pool,
                                                                   ProcessOptions options) {
  bundle::BundleOptions folders{.state_folder = std::move(options.state_folder),
                                .data_folder = std::move(options.data_folder),
                                .cluster_short_id = options.cluster_short_id,
                                .cgroup_parent = "/orchion-" + options.cluster_short_id + "-process"};
  RETURN_IF_ERROR(bundle::make_bundle_folders(folders));
  ASSIGN_OR_RETURN(auto cgroups, bundle::detect_cgroup_layout());
  // There the kernel kills a whole group at once, so that nothing escapes by forking: before all others.
  std::stable_partition(cgroups.hierarchies.begin(), cgroups.hierarchies.end(),
                        [&](const std::string& hierarchy) { return hierarchy == cgroups.unified; });
  ASSIGN_OR_RETURN(auto tree, read_cgroup_tree(cgroups));
  ASSIGN_OR_RETURN(auto shim, bundle::install_shim(folders.data_folder / "shim"));
  auto maker = std::make_unique<ProcessBundleMaker>(std::move(tree));
  auto store = std::make_shared<bundle::BundleStore>(std::move(folders), std::move(cgroups), std::move(maker));
  return std::unique_ptr<ProcessRuntime>(
      new ProcessRuntime(std::move(executor), pool, std::move(store), std::move(shim)));
}

}  // namespace orchion::node::runtimes::process
