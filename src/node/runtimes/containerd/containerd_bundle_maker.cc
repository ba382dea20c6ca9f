#include "node/runtimes/containerd/containerd_bundle_maker.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "node/runtimes/bundle/node_limits.h"
#include "node/runtimes/bundle/root_files.h"
#include "node/runtimes/bundle/runtime_error.h"
#include "node/runtimes/features.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::containerd {

using base::Code;
using base::Result;
using bundle::BundlePlace;

namespace {

constexpr char kNoUsers[] = "its shims mount layers with their owners as they are";

}  // namespace

ContainerdBundleMaker::ContainerdBundleMaker(std::string version, std::vector<std::string> oci_runtimes,
                                             bundle::CgroupLayout cgroups, std::string seccomp_profile,
                                             std::filesystem::path seccomp_folder)
    : version_(std::move(version)),
      oci_runtimes_(std::move(oci_runtimes)),
      cgroups_(std::move(cgroups)),
      seccomp_(std::move(seccomp_profile), std::move(seccomp_folder)) {}

Capabilities ContainerdBundleMaker::capabilities() const {
  auto lacks = bundle::lacks_of_node(cgroups_);
  lacks[std::string(feature::kOwnUsers)] = {kNoUsers};
  return {.name = "containerd",
          .version = version_,
          .oci_runtimes = oci_runtimes_,
          .survives_agent = true,
          .limits = true,
          .exec = true,
          .tty = true,
          .lacks = std::move(lacks)};
}

Result<> ContainerdBundleMaker::check(const ContainerConfig& config) const {
  if (!config.oci_runtime.empty() &&
      std::find(oci_runtimes_.begin(), oci_runtimes_.end(), config.oci_runtime) == oci_runtimes_.end())
    return base::fail(Code::kInvalidArgument,
                      fmt::format("this node has no OCI runtime {} for containerd: install it, or name one of: {}",
                                  config.oci_runtime, fmt::join(oci_runtimes_, ", ")));
  if (config.own_users)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("containerd can't give a container users of its own, since {}: use the executor oci, "
                                  "or remove `userns_mode`",
                                  kNoUsers));
  RETURN_IF_ERROR(bundle::check_limits(config.limits, cgroups_));
  return bundle::check_image(config);
}

Result<> ContainerdBundleMaker::fill(const BundlePlace& place, const ContainerConfig& config) {
  RETURN_IF_ERROR(bundle::fill_root_files(place, config));
  RETURN_IF_ERROR(bundle::fill_memory_files(place, config));
  ASSIGN_OR_RETURN(auto context, bundle::find_oci_context(place, config, cgroups_));
  // With a logger containerd gives the program /dev/null, unless it has a terminal.
  context.holds_input = config.stdin_open && !config.tty;
  if (!config.privileges.everything && !config.privileges.no_seccomp) {
    ASSIGN_OR_RETURN(context.seccomp_json, seccomp_.json(context.capabilities));
  }
  return base::write_file(place.folder / shim::kConfigFile, bundle::oci_config_json(config, context));
}

Result<> ContainerdBundleMaker::refill(const BundlePlace& place, const ContainerConfig& config) {
  return bundle::fill_memory_files(place, config);
}

void ContainerdBundleMaker::add_settings(const BundlePlace&, const ContainerConfig& config,
                                         shim::RecordWriter& settings) const {
  settings.add(shim::setting::kRuntime, config.oci_runtime);
  settings.add(shim::setting::kLayers, static_cast<std::int64_t>(config.layers.size()));
}

Result<> ContainerdBundleMaker::fill_exec(const BundlePlace& place, std::int64_t pid, const ExecConfig& config,
                                          const std::filesystem::path& folder) const {
  ASSIGN_OR_RETURN(const auto process, bundle::find_exec_json(place, pid, config));
  return base::write_file(folder / "process.json", process);
}

base::Error ContainerdBundleMaker::start_failure(std::string_view report) const {
  return bundle::classify_start_failure(report, /*from_runtime=*/true);
}

}  // namespace orchion::node::runtimes::containerd
