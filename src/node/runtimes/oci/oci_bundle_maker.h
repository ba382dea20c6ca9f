#pragma once

#include <memory>

#include "node/runtimes/bundle/bundle_maker.h"
#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/bundle/seccomp.h"
#include "node/runtimes/bundle/user_ranges.h"
#include "node/runtimes/oci/runtime_binary.h"

namespace orchion::node::runtimes::oci {

// Bundles for crun, runc and their like: image layers and a config.json.
class OciBundleMaker final : public bundle::BundleMaker {
 public:
  // The first binary runs what asks for none. Filters are kept in `seccomp_folder`. `lack_of_users`: see
  // bundle::lack_of_users().
  OciBundleMaker(std::vector<RuntimeBinary> binaries, bundle::CgroupLayout cgroups, std::string seccomp_profile,
                 std::filesystem::path seccomp_folder, std::unique_ptr<bundle::UserRanges> users,
                 std::string lack_of_users);

  Capabilities capabilities() const override;
  base::Result<> check(const ContainerConfig& config) const override;
  base::Result<> fill(const bundle::BundlePlace& place, const ContainerConfig& config) override;
  base::Result<> refill(const bundle::BundlePlace& place, const ContainerConfig& config) override;
  void add_settings(const bundle::BundlePlace& place, const ContainerConfig& config,
                    shim::RecordWriter& settings) const override;
  base::Result<> fill_exec(const bundle::BundlePlace& place, std::int64_t pid, const ExecConfig& config,
                           const std::filesystem::path& folder) const override;
  base::Error start_failure(std::string_view report) const override;
  int program_image(const bundle::BundlePlace& place) const override;

 private:
  bool weighs_disks(const RuntimeBinary& binary) const;
  base::Result<> check_users(const ContainerConfig& config) const;
  // check() has passed.
  const RuntimeBinary& binary_of(const ContainerConfig& config) const;

  const std::vector<RuntimeBinary> binaries_;
  const bundle::CgroupLayout cgroups_;
  bundle::SeccompProfiles seccomp_;
  const std::unique_ptr<bundle::UserRanges> users_;
  const std::string lack_of_users_;
};

}  // namespace orchion::node::runtimes::oci
