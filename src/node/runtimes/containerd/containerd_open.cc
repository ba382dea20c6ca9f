// How the runtime begins.

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/process.h"
#include "node/runtimes/bundle/bundle_runtime.h"
#include "node/runtimes/bundle/shim_image.h"
#include "node/runtimes/containerd/containerd_bundle_maker.h"
#include "node/runtimes/containerd/containerd_runtime.h"

namespace orchion::node::runtimes::containerd {

namespace {

using base::Result;

// On a loop of its own, since the caller's may not run yet, or is another thread's.
Result<std::string> ask_version(const ContainerdOptions& options, const std::string& name_space) {
  boost::asio::io_context io;
  ContainerdClient client(io.get_executor(), options.socket, name_space);
  std::optional<Result<std::string>> version;
  boost::asio::co_spawn(io, client.version(),
                        [&](std::exception_ptr, Result<std::string> answer) { version = std::move(answer); });
  while (!version && io.run_one() > 0) {
  }
  if (!version) return base::fail(base::Code::kInternal, "containerd's version could not be asked for");
  return *std::move(version);
}

// What containerd's runc shim can be told to run, containerd's own choice first.
std::vector<std::string> find_oci_runtimes() {
  std::vector<std::string> found;
  for (const char* name : {"runc", "crun", "youki", "runsc", "kata-runtime"}) {
    if (base::find_program(name)) found.emplace_back(name);
  }
  return found;
}

}  // namespace

Result<std::unique_ptr<ContainerdRuntime>> ContainerdRuntime::open(base::Executor executor, base::WorkerPool& pool,
                                                                   ContainerdOptions options) {
  const auto name_space = "orchion-" + options.cluster_short_id;
  bundle::BundleOptions folders{.state_folder = options.state_folder,
                                .data_folder = options.data_folder,
                                .cluster_short_id = options.cluster_short_id,
                                .cgroup_parent = "/orchion-" + options.cluster_short_id + "-containerd"};
  RETURN_IF_ERROR(bundle::make_bundle_folders(folders));
  ASSIGN_OR_RETURN(auto version, ask_version(options, name_space));
  ASSIGN_OR_RETURN(auto cgroups, bundle::detect_cgroup_layout());
  ASSIGN_OR_RETURN(auto profile, bundle::SeccompProfiles::load_default_profile());
  ASSIGN_OR_RETURN(auto shim, bundle::install_shim(folders.data_folder / "shim"));
  auto maker = std::make_unique<ContainerdBundleMaker>(std::move(version), find_oci_runtimes(), cgroups,
                                                       std::move(profile), folders.data_folder / "seccomp");
  auto store = std::make_shared<bundle::BundleStore>(std::move(folders), std::move(cgroups), std::move(maker));
  auto client = std::make_shared<ContainerdClient>(std::move(executor), options.socket, name_space);
  return std::unique_ptr<ContainerdRuntime>(
      new ContainerdRuntime(pool, std::move(store), std::move(shim), std::move(client)));
}

}  // namespace orchion::node::runtimes::containerd
