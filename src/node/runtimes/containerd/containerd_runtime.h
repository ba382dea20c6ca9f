#pragma once

// Containers by containerd's own socket: its shims and runc start them, from our layers, into our network namespaces.

#include <memory>

#include "base/clock.h"
#include "base/worker_pool.h"
#include "node/runtimes/bundle/bundle_store.h"
#include "node/runtimes/containerd/container_locks.h"
#include "node/runtimes/containerd/containerd_client.h"
#include "node/runtimes/containerd/containerd_options.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::containerd {

// What runs is containerd's to know, how it ended is also in the bundle: another instance on the same folders and
// socket finds the same containers. Containers of others are in other namespaces of containerd and never touched. An
// exit code above 128 reads as a signal's: containerd tells both alike. Destroy it only after its calls have returned
// or were cancelled.
class ContainerdRuntime final : public Runtime {
 public:
  // Asks containerd for its version, installs the logger, reads how cgroups are mounted and the seccomp profile.
  // kUnavailable where containerd doesn't answer. Needs root. Blocks. `pool` must outlive the runtime.
  static base::Result<std::unique_ptr<ContainerdRuntime>> open(base::Executor executor, base::WorkerPool& pool,
                                                               ContainerdOptions options);

  Capabilities capabilities() const override;
  base::Co<> prepare(ContainerConfig config) override;
  base::Co<ContainerInfo> start(std::string id, std::uint32_t attempt) override;
  base::Co<ExitStatus> wait(std::string id) override;
  base::Co<> signal(std::string id, int signal) override;
  base::Co<> remove(std::string id, bool keep_logs) override;
  base::Co<> save_files(std::string id, std::string path, std::int64_t bytes_max, std::filesystem::path file) override;
  base::Co<std::optional<ContainerInfo>> inspect(std::string id) override;
  base::Co<std::vector<ContainerInfo>> list() override;
  base::Co<std::vector<ForeignContainer>> list_foreign() override;
  base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> exec(std::string id, ExecConfig config) override;
  base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> attach(std::string id, AttachConfig config) override;
  std::filesystem::path log_folder(const std::string& id) const override;

 private:
  ContainerdRuntime(base::WorkerPool& pool, std::shared_ptr<bundle::BundleStore> store, std::filesystem::path shim,
                    std::shared_ptr<ContainerdClient> client);

  base::Co<std::optional<bundle::BundleState>> read(std::string id);
  // Brings the records up to date with containerd. The caller has the container's lock; kNotFound where there is none.
  base::Co<bundle::BundleState> settle(std::string id);
  // Records the end of the newest start, for the first who finds out, and lets containerd forget it.
  base::Co<bundle::BundleState> record_end(std::string id, std::optional<Task> task);
  // Ends and removes what containerd has under this id.
  base::Co<> discard(std::string id);
  // What an agent started that died before it wrote so.
  base::Co<bool> adopt(std::string id, std::uint32_t attempt);
  base::Co<> run_task(std::string id, std::uint32_t attempt);
  base::Co<> record_start(std::string id, std::uint32_t attempt, std::int64_t pid);

  base::WorkerPool& pool_;
  base::SystemClock clock_;
  std::shared_ptr<bundle::BundleStore> store_;  // shared with jobs that outlive a cancelled call
  std::filesystem::path shim_;
  std::shared_ptr<ContainerdClient> client_;  // shared with the execs that still run
  ContainerLocks locks_;
};

}  // namespace orchion::node::runtimes::containerd
