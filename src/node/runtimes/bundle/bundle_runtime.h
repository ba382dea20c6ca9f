#pragma once

// The runtime of containers that are bundles with a shim each, whatever is in them.

#include <atomic>
#include <memory>

#include "base/worker_pool.h"
#include "node/runtimes/bundle/bundle_maker.h"
#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::bundle {

class BundleStore;

// Keeps nothing in memory that isn't on disk or in the kernel: another instance on the same folders finds the same
// containers. Destroy it only after its calls have returned or were cancelled.
class BundleRuntime : public Runtime {
 public:
  ~BundleRuntime() override;

  Capabilities capabilities() const override;
  base::Co<> prepare(ContainerConfig config) override;
  base::Co<ContainerInfo> start(std::string id, std::uint32_t attempt) override;
  base::Co<ExitStatus> wait(std::string id) override;
  base::Co<> signal(std::string id, int signal) override;
  base::Co<> remove(std::string id, bool keep_logs) override;
  base::Co<> save_files(std::string id, std::string path, std::int64_t bytes_max, std::filesystem::path file) override;
  base::Co<std::optional<ContainerInfo>> inspect(std::string id) override;
  base::Co<std::vector<ContainerInfo>> list() override;
  base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> exec(std::string id, ExecConfig config) override;
  base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> attach(std::string id, AttachConfig config) override;
  std::filesystem::path log_folder(const std::string& id) const override;

 protected:
  // `shim` is the installed program; `pool` must outlive the runtime.
  BundleRuntime(base::Executor executor, base::WorkerPool& pool, std::shared_ptr<BundleStore> store,
                std::filesystem::path shim);

 private:
  void announce_start();

  base::Executor executor_;
  base::WorkerPool& pool_;
  std::shared_ptr<BundleStore> store_;  // shared with jobs that outlive a cancelled call
  std::filesystem::path shim_;
  std::shared_ptr<std::atomic<bool>> announcing_ = std::make_shared<std::atomic<bool>>(false);
};

// Makes the folders absolute and there: the shims work in other folders than we do. Needs root. Blocks.
base::Result<> make_bundle_folders(BundleOptions& options);

}  // namespace orchion::node::runtimes::bundle
