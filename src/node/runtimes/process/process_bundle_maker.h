#pragma once

#include "node/runtimes/bundle/bundle_maker.h"
#include "node/runtimes/process/cgroup_plan.h"

namespace orchion::node::runtimes::process {

// Bundles without a root: a program of the node, described for the shim.
class ProcessBundleMaker final : public bundle::BundleMaker {
 public:
  explicit ProcessBundleMaker(CgroupTree tree) : tree_(std::move(tree)) {}

  Capabilities capabilities() const override;
  base::Result<> check(const ContainerConfig& config) const override;
  base::Result<> fill(const bundle::BundlePlace& place, const ContainerConfig& config) override;
  base::Result<> refill(const bundle::BundlePlace& place, const ContainerConfig& config) override;
  void add_settings(const bundle::BundlePlace& place, const ContainerConfig& config,
                    shim::RecordWriter& settings) const override;
  base::Result<> fill_exec(const bundle::BundlePlace& place, std::int64_t pid, const ExecConfig& config,
                           const std::filesystem::path& folder) const override;
  base::Error start_failure(std::string_view report) const override;

 private:
  const CgroupTree tree_;
};

}  // namespace orchion::node::runtimes::process
