#pragma once

#include "base/file.h"
#include "node/runtimes/conformance/busybox_root.h"
#include "node/runtimes/conformance/runtime_conformance.h"
#include "node/runtimes/process/process_runtime.h"

namespace orchion::node::runtimes::process {

// Programs of this machine, in temporary folders and under a random short id.
class ProcessFactory final : public RuntimeFactory {
 public:
  ProcessFactory() {
    auto random = base::Random::from_system();
    options_.state_folder = folder_.path() / "state";
    options_.data_folder = folder_.path() / "data";
    options_.cluster_short_id = "t" + random.text(7);
  }

  std::unique_ptr<Runtime> open(base::Executor executor, base::WorkerPool& pool) override {
    auto runtime = ProcessRuntime::open(executor, pool, options_);
    EXPECT_TRUE(runtime.has_value()) << runtime.error().message;
    return runtime ? *std::move(runtime) : nullptr;
  }
  std::vector<std::filesystem::path> layers() override { return {}; }
  void fill(ContainerConfig& config) override {
    config.working_dir = folder_.path() / "work" / config.id;
    EXPECT_TRUE(base::make_folders(config.working_dir));
  }
  bool contained() const override { return false; }
  bool real() const override { return true; }

  const ProcessOptions& options() const { return options_; }

 private:
  TestFolder folder_;
  ProcessOptions options_;
};

}  // namespace orchion::node::runtimes::process
