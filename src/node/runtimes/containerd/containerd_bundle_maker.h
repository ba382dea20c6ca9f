#pragma once

#include "node/runtimes/bundle/bundle_maker.h"
#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/bundle/seccomp.h"

namespace orchion::node::runtimes::containerd {

// Bundles that containerd's shims start: image layers and a config.json, as runc reads it.
class ContainerdBundleMaker final : public bundle::BundleMaker {
 public:
  ContainerdBundleMaker(std::string version, std::vector<std::string> oci_runtimes, bundle::CgroupLayout cgroups,
                        std::string seccomp_profile, std::filesystem::path seccomp_folder);

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
  const std::string version_;
  const std::vector<std::string> oci_runtimes_;
  const bundle::CgroupLayout cgroups_;
  bundle::SeccompProfiles seccomp_;
};

}  // namespace orchion::node::runtimes::containerd
