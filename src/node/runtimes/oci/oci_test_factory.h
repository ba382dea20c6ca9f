#pragma once

#include "node/runtimes/conformance/busybox_root.h"
#include "node/runtimes/conformance/runtime_conformance.h"
#include "node/runtimes/oci/oci_runtime.h"

namespace orchion::node::runtimes::oci {

// Real containers of a busybox, in temporary folders and under a random short id.
class OciFactory final : public RuntimeFactory {
 public:
  explicit OciFactory(RuntimeBinary::Kind kind) {
    auto random = base::Random::from_system();
    options_.state_folder = folder_.path() / "state";
    options_.data_folder = folder_.path() / "data";
    options_.cluster_short_id = "t" + random.text(7);
    options_.binary = binary_of(kind);
    make_busybox_root(layer());
  }

  std::unique_ptr<Runtime> open(base::Executor executor, base::WorkerPool& pool) override {
    auto runtime = OciRuntime::open(executor, pool, options_);
    EXPECT_TRUE(runtime.has_value()) << runtime.error().message;
    return runtime ? *std::move(runtime) : nullptr;
  }
  std::vector<std::filesystem::path> layers() override { return {layer()}; }
  bool real() const override { return true; }

  const OciOptions& options() const { return options_; }
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  // Asked for its version once: that takes longer than many a test.
  static RuntimeBinary binary_of(RuntimeBinary::Kind kind) {
    static const auto crun = find_oci_runtime(RuntimeBinary::Kind::kCrun);
    static const auto runc = find_oci_runtime(RuntimeBinary::Kind::kRunc);
    const auto& binary = kind == RuntimeBinary::Kind::kCrun ? crun : runc;
    EXPECT_TRUE(binary.has_value()) << binary.error().message;
    return binary.value_or(RuntimeBinary{});
  }

  std::filesystem::path layer() const { return folder_.path() / "layer"; }

  TestFolder folder_;
  OciOptions options_;
};

}  // namespace orchion::node::runtimes::oci
