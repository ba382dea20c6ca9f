#include "node/runtimes/oci/oci_runtime.h"

#include "node/runtimes/bundle/bundle_store.h"
#include "node/runtimes/bundle/own_users.h"
#include "node/runtimes/bundle/shim_image.h"
#include "node/runtimes/oci/oci_bundle_maker.h"

namespace orchion::node::runtimes::oci {

base::Result<std::shared_ptr<bundle::BundleStore>> OciRuntime::open_store(OciOptions options) {
  ASSIGN_OR_RETURN(auto cgroups, bundle::detect_cgroup_layout(options.delegated_group));
  bundle::BundleOptions folders{.state_folder = std::move(options.state_folder),
                                .data_folder = std::move(options.data_folder),
                                .cluster_short_id = options.cluster_short_id,
                                .cgroup_parent = cgroups.top + "/orchion-" + options.cluster_short_id};
  RETURN_IF_ERROR(bundle::make_bundle_folders(folders));
  ASSIGN_OR_RETURN(auto profile, bundle::SeccompProfiles::load_default_profile());
  ASSIGN_OR_RETURN(const auto shim, bundle::install_shim(folders.data_folder / "shim"));
  auto users = std::make_unique<bundle::UserRanges>(options.users, options.cluster_short_id);
  auto maker = std::make_unique<OciBundleMaker>(std::move(options.binaries), cgroups, std::move(profile),
                                                folders.data_folder / "seccomp", std::move(users),
                                                bundle::lack_of_users(shim, folders.data_folder));
  return std::make_shared<bundle::BundleStore>(std::move(folders), std::move(cgroups), std::move(maker));
}

base::Result<std::unique_ptr<OciRuntime>> OciRuntime::open(base::Executor executor, base::WorkerPool& pool,
                                                           OciOptions options) {
  ASSIGN_OR_RETURN(auto store, open_store(std::move(options)));
  ASSIGN_OR_RETURN(auto shim, bundle::install_shim(store->options().data_folder / "shim"));
  return std::unique_ptr<OciRuntime>(new OciRuntime(std::move(executor), pool, std::move(store), std::move(shim)));
}

}  // namespace orchion::node::runtimes::oci
