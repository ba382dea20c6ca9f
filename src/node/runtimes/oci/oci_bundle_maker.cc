#include "node/runtimes/oci/oci_bundle_maker.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/file.h"
#include "node/runtimes/bundle/node_limits.h"
#include "node/runtimes/bundle/own_users.h"
#include "node/runtimes/bundle/root_files.h"
#include "node/runtimes/bundle/runtime_error.h"
#include "node/runtimes/features.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::oci {

using base::Result;
using bundle::BundlePlace;

namespace {

constexpr const char* kNoWeights = "crun can't share disks by weight with control groups of v1";

}  // namespace

OciBundleMaker::OciBundleMaker(std::vector<RuntimeBinary> binaries, bundle::CgroupLayout cgroups,
                               std::string seccomp_profile, std::filesystem::path seccomp_folder,
                               std::unique_ptr<bundle::UserRanges> users, std::string lack_of_users)
    : binaries_(std::move(binaries)),
      cgroups_(std::move(cgroups)),
      seccomp_(std::move(seccomp_profile), std::move(seccomp_folder)),
      users_(std::move(users)),
      lack_of_users_(std::move(lack_of_users)) {}

Capabilities OciBundleMaker::capabilities() const {
  std::vector<std::string> names;
  for (const auto& binary : binaries_) names.push_back(binary.name);
  auto lacks = bundle::lacks_of_node(cgroups_);
  if (!weighs_disks(binaries_.front())) lacks[std::string(feature::kBlockWeight)] = {kNoWeights, /*of_node=*/true};
  if (!lack_of_users_.empty()) lacks[std::string(feature::kOwnUsers)] = {lack_of_users_, /*of_node=*/true};
  return {.name = binaries_.front().name,
          .version = binaries_.front().version,
          .oci_runtimes = std::move(names),
          .survives_agent = true,
          .limits = true,
          .exec = true,
          .tty = true,
          .lacks = std::move(lacks)};
}

Result<> OciBundleMaker::check(const ContainerConfig& config) const {
  const auto is_named = [&](const RuntimeBinary& binary) { return binary.name == config.oci_runtime; };
  if (!config.oci_runtime.empty() && std::ranges::none_of(binaries_, is_named))
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} is not installed on this node: install it and start the agent again, or leave "
                                  "`runtime` out",
                                  config.oci_runtime));
  RETURN_IF_ERROR(bundle::check_limits(config.limits, cgroups_));
  const auto& io = config.limits.block_io;
  if ((io.weight > 0 || !io.weights.empty()) && !weighs_disks(binary_of(config)))
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("{}: say `runtime: runc`, or leave the weights out", kNoWeights));
  if (config.own_users) RETURN_IF_ERROR(check_users(config));
  return bundle::check_image(config);
}

Result<> OciBundleMaker::check_users(const ContainerConfig& config) const {
  if (!lack_of_users_.empty())
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("this node can't give a container users of its own, since {}: place it elsewhere, or "
                                  "remove `userns_mode`",
                                  lack_of_users_));
  const auto& binary = binary_of(config);
  if (!binary.is_crun() && binary.name != "runc")
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} can't give a container users of its own: use crun or runc", binary.name));
  return bundle::check_own_users(config);
}

// By files that no kernel has any more, where the groups are v1's.
bool OciBundleMaker::weighs_disks(const RuntimeBinary& binary) const {
  return !binary.is_crun() || cgroups_.mode == bundle::CgroupLayout::Mode::kV2;
}

const RuntimeBinary& OciBundleMaker::binary_of(const ContainerConfig& config) const {
  const auto named = std::ranges::find(binaries_, config.oci_runtime, &RuntimeBinary::name);
  return named == binaries_.end() ? binaries_.front() : *named;
}

// By what the settings say: it may have been prepared by an earlier agent.
int OciBundleMaker::program_image(const BundlePlace& place) const {
  const auto settings = base::read_file(place.folder / shim::kSettingsFile);
  if (!settings) return -1;
  const auto path = shim::find_text(*settings, shim::setting::kRuntime);
  const auto found = std::ranges::find_if(binaries_, [&](const auto& binary) { return binary.path.native() == path; });
  return found == binaries_.end() || !found->image ? -1 : found->image->get();
}

Result<> OciBundleMaker::fill(const BundlePlace& place, const ContainerConfig& config) {
  std::uint32_t first_user = 0;
  if (config.own_users) {
    ASSIGN_OR_RETURN(first_user, users_->take(place.folder));
  }
  RETURN_IF_ERROR(bundle::fill_root_files(place, config, first_user));
  RETURN_IF_ERROR(bundle::fill_memory_files(place, config, first_user));
  ASSIGN_OR_RETURN(auto context, bundle::find_oci_context(place, config, cgroups_));
  if (config.own_users) {
    // When runc enters a running container it takes its users first, and as one of these not the network of others.
    context.own_users = {.first = first_user,
                         .count = bundle::kUsersOfContainer,
                         .enters_network = !binary_of(config).is_crun(),
                         .folder = place.mounts};
    RETURN_IF_ERROR(bundle::write_users_record(place, config, context));
  }
  const bool filtered = !config.privileges.everything && !config.privileges.no_seccomp;
  if (filtered && binary_of(config).is_crun()) {
    ASSIGN_OR_RETURN(context.seccomp_bpf_base64, seccomp_.bpf_base64(context.capabilities));
  } else if (filtered) {
    ASSIGN_OR_RETURN(context.seccomp_json, seccomp_.json(context.capabilities));
  }
  return base::write_file(place.folder / shim::kConfigFile, bundle::oci_config_json(config, context));
}

Result<> OciBundleMaker::refill(const BundlePlace& place, const ContainerConfig& config) {
  const auto first_user = bundle::range_of(place.folder);
  if (first_user) RETURN_IF_ERROR(bundle::make_mounts_folder(place.mounts));
  return bundle::fill_memory_files(place, config, first_user.value_or(0));
}

void OciBundleMaker::add_settings(const BundlePlace&, const ContainerConfig& config,
                                  shim::RecordWriter& settings) const {
  namespace setting = shim::setting;
  const auto& binary = binary_of(config);
  const bool is_crun = binary.is_crun();
  using Mode = bundle::CgroupLayout::Mode;
  const bool hides_unified = is_crun && (cgroups_.mode == Mode::kHybrid || cgroups_.mode == Mode::kNone);
  settings.add(setting::kRuntime, binary.path.native());
  settings.add(setting::kIsCrun, is_crun ? 1 : 0);
  settings.add(setting::kLayers, static_cast<std::int64_t>(config.layers.size()));
  if (config.own_users) settings.add(setting::kOwnUsers, 1);
  const auto is_last = [](const Hook& hook) { return hook.stage == "poststop"; };
  if (std::ranges::any_of(config.hooks, is_last)) settings.add(setting::kCallsPoststop, 1);
  settings.add(setting::kHiddenMount, hides_unified ? cgroups_.unified : std::string());
}

Result<> OciBundleMaker::fill_exec(const BundlePlace& place, std::int64_t pid, const ExecConfig& config,
                                   const std::filesystem::path& folder) const {
  ASSIGN_OR_RETURN(const auto process, bundle::find_exec_json(place, pid, config));
  return base::write_file(folder / "process.json", process);
}

base::Error OciBundleMaker::start_failure(std::string_view report) const {
  return bundle::classify_start_failure(report.substr(report.find('\n') + 1), report.starts_with(shim::kReportRuntime));
}

}  // namespace orchion::node::runtimes::oci
