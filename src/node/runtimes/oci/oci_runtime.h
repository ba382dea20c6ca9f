#pragma once

// Containers by crun or runc, without a daemon: a shim stays with each.

#include <memory>

#include "base/worker_pool.h"
#include "node/runtimes/oci/oci_options.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::oci {

class BundleStore;

// Keeps nothing in memory that isn't on disk or in the kernel: another instance on the same folders finds the same
// containers. Destroy it only after its calls have returned or were cancelled.
class OciRuntime final : public Runtime {
 public:
  // Installs the shim, reads how cgroups are mounted and the seccomp profile. Needs root. Blocks. `pool` must
  // outlive the runtime.
  static base::Result<std::unique_ptr<OciRuntime>> open(base::Executor executor, base::WorkerPool& pool,
                                                        OciOptions options);
  ~OciRuntime() override;

  Capabilities capabilities() const override;
  base::Co<> prepare(ContainerConfig config) override;
  base::Co<ContainerInfo> start(std::string id, std::uint32_t attempt) override;
  base::Co<ExitStatus> wait(std::string id) override;
  base::Co<> signal(std::string id, int signal) override;
  base::Co<> remove(std::string id, bool keep_logs) override;
  base::Co<std::optional<ContainerInfo>> inspect(std::string id) override;
  base::Co<std::vector<ContainerInfo>> list() override;
  base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> exec(std::string id, ExecConfig config) override;
  std::filesystem::path log_folder(const std::string& id) const override;

 private:
  OciRuntime(base::Executor executor, base::WorkerPool& pool, std::shared_ptr<BundleStore> store,
             std::filesystem::path shim);

  base::Executor executor_;
  base::WorkerPool& pool_;
  std::shared_ptr<BundleStore> store_;  // shared with jobs that outlive a cancelled call
  std::filesystem::path shim_;
};

}  // namespace orchion::node::runtimes::oci
