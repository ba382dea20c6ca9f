#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "node/runtimes/bundle/bundle_store.h"

namespace orchion::node::runtimes::bundle {

// The beginning of a start: either its outcome is known already, or a shim is on its way and will report.
struct StartBegun {
  std::optional<ContainerInfo> info;
  base::UniqueFd report;
};

// Spawns the shim for this attempt, unless the attempt was started before. kFailedPrecondition: an earlier attempt
// still runs, or the container isn't prepared. Blocks.
base::Result<StartBegun> begin_start(const BundleStore& store, const std::filesystem::path& shim, std::string id,
                                     std::uint32_t attempt);

// The outcome, when the shim has closed its report. Blocks a little.
base::Result<ContainerInfo> end_start(const BundleStore& store, std::string id, std::string report);

}  // namespace orchion::node::runtimes::bundle
