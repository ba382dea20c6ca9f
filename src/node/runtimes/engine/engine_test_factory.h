#pragma once

#include <cstdlib>

#include "node/engine/engine_process.h"
#include "node/runtimes/conformance/busybox_root.h"
#include "node/runtimes/conformance/runtime_conformance.h"
#include "node/runtimes/engine/engine_runtime.h"

namespace orchion::node::runtimes::engine {

// One engine of a kind for all tests of a program: a start takes as long as many a test.
class SharedEngine {
 public:
  static node::engine::EngineProcess& get(node::engine::Dialect dialect) {
    static SharedEngine docker(node::engine::Dialect::kDocker), podman(node::engine::Dialect::kPodman);
    auto& mine = dialect == node::engine::Dialect::kDocker ? docker : podman;
    if (!mine.process_) {
      mine.process_ = std::make_unique<node::engine::EngineProcess>(dialect);
      TestFolder root;
      make_busybox_root(root.path());
      mine.process_->import(root.path(), kImage);
    }
    return *mine.process_;
  }

  static constexpr const char* kImage = "orchion-busybox";

 private:
  explicit SharedEngine(node::engine::Dialect) {}
  std::unique_ptr<node::engine::EngineProcess> process_;
};

// Real containers of a busybox, in temporary folders and under a random short id.
class EngineFactory final : public RuntimeFactory {
 public:
  explicit EngineFactory(node::engine::Dialect dialect) {
    auto random = base::Random::from_system();
    options_.socket = SharedEngine::get(dialect).socket();
    options_.state_folder = folder_.path() / "state";
    options_.data_folder = folder_.path() / "data";
    options_.cluster_short_id = "t" + random.text(7);
    options_.wire = [](std::string, std::filesystem::path) { return wire_nothing(); };
  }

  std::unique_ptr<Runtime> open(base::Executor executor, base::WorkerPool& pool) override {
    auto runtime = EngineRuntime::open(executor, pool, clock_, options_);
    EXPECT_TRUE(runtime.has_value()) << runtime.error().message;
    return runtime ? *std::move(runtime) : nullptr;
  }
  std::vector<std::filesystem::path> layers() override { return {}; }
  void fill(ContainerConfig& config) override { config.image = SharedEngine::kImage; }
  bool real() const override { return true; }

  EngineOptions& options() { return options_; }
  base::Clock& clock() { return clock_; }

 private:
  static base::Co<> wire_nothing() { co_return base::Result<>{}; }

  base::SystemClock clock_;
  TestFolder folder_;
  EngineOptions options_;
};

}  // namespace orchion::node::runtimes::engine
