#pragma once

#include <algorithm>

#include "node/runtimes/conformance/busybox_root.h"
#include "node/runtimes/conformance/runtime_conformance.h"
#include "node/runtimes/oci/oci_runtime.h"

namespace orchion::node::runtimes::oci {

// Real containers of a busybox, in temporary folders and under a random short id.
class OciFactory : public RuntimeFactory {
 public:
  explicit OciFactory(const std::string& name) {
    auto random = base::Random::from_system();
    options_.state_folder = folder_.path() / "state";
    options_.data_folder = folder_.path() / "data";
    options_.cluster_short_id = "t" + random.text(7);
    options_.binaries = binaries(name);
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
  // Asked for their versions once: that takes longer than many a test. The one named comes first.
  static std::vector<RuntimeBinary> binaries(const std::string& name) {
    static const auto found = find_oci_runtimes();
    EXPECT_TRUE(found.has_value()) << found.error().message;
    auto all = found.value_or(std::vector<RuntimeBinary>{});
    std::ranges::stable_partition(all, [&](const RuntimeBinary& binary) { return binary.name == name; });
    EXPECT_TRUE(!all.empty() && all.front().name == name) << name << " is not installed";
    return all;
  }

  std::filesystem::path layer() const { return folder_.path() / "layer"; }

  TestFolder folder_;
  OciOptions options_;
};

}  // namespace orchion::node::runtimes::oci
