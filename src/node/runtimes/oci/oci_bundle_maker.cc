#include "node/runtimes/oci/oci_bundle_maker.h"

#include "base/file.h"
#include "node/runtimes/bundle/root_files.h"
#include "node/runtimes/oci/runtime_error.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::oci {

using base::Result;
using bundle::BundlePlace;

OciBundleMaker::OciBundleMaker(RuntimeBinary binary, bundle::CgroupLayout cgroups, std::string seccomp_profile,
                               std::filesystem::path seccomp_folder)
    : binary_(std::move(binary)),
      cgroups_(std::move(cgroups)),
      seccomp_(std::move(seccomp_profile), std::move(seccomp_folder)) {}

Capabilities OciBundleMaker::capabilities() const {
  return {.name = binary_.name(),
          .version = binary_.version,
          .survives_agent = true,
          .limits = true,
          .exec = true,
          .tty = true};
}

Result<> OciBundleMaker::check(const ContainerConfig& config) const {
  return bundle::check_image(config);
}

Result<> OciBundleMaker::fill(const BundlePlace& place, const ContainerConfig& config) {
  RETURN_IF_ERROR(bundle::fill_root_files(place, config));
  RETURN_IF_ERROR(bundle::fill_memory_files(place, config));
  ASSIGN_OR_RETURN(auto context, bundle::find_oci_context(place, config, cgroups_));
  const bool filtered = !config.privileges.everything && !config.privileges.no_seccomp;
  if (filtered && binary_.kind == RuntimeBinary::Kind::kCrun) {
    ASSIGN_OR_RETURN(context.seccomp_bpf_base64, seccomp_.bpf_base64(context.capabilities));
  } else if (filtered) {
    ASSIGN_OR_RETURN(context.seccomp_json, seccomp_.json(context.capabilities));
  }
  return base::write_file(place.folder / shim::kConfigFile, bundle::oci_config_json(config, context));
}

Result<> OciBundleMaker::refill(const BundlePlace& place, const ContainerConfig& config) {
  return bundle::fill_memory_files(place, config);
}

void OciBundleMaker::add_settings(const BundlePlace&, const ContainerConfig& config,
                                  shim::RecordWriter& settings) const {
  namespace setting = shim::setting;
  const bool is_crun = binary_.kind == RuntimeBinary::Kind::kCrun;
  const bool hides_unified = is_crun && cgroups_.mode == bundle::CgroupLayout::Mode::kHybrid;
  settings.add(setting::kRuntime, binary_.path.native());
  settings.add(setting::kIsCrun, is_crun ? 1 : 0);
  settings.add(setting::kLayers, static_cast<std::int64_t>(config.layers.size()));
  settings.add(setting::kHiddenMount, hides_unified ? cgroups_.unified : std::string());
}

Result<> OciBundleMaker::fill_exec(const BundlePlace& place, std::int64_t pid, const ExecConfig& config,
                                   const std::filesystem::path& folder) const {
  ASSIGN_OR_RETURN(const auto process, bundle::find_exec_json(place, pid, config));
  return base::write_file(folder / "process.json", process);
}

base::Error OciBundleMaker::start_failure(std::string_view report) const {
  return classify_start_failure(report.substr(report.find('\n') + 1), report.starts_with(shim::kReportRuntime));
}

}  // namespace orchion::node::runtimes::oci
