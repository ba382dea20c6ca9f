#pragma once

// A container as the Engine API wants it.
// Source: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerCreate

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "node/engine/engine_objects.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::engine {

constexpr const char* kClusterLabel = "orchion.cluster";
constexpr const char* kIdLabel = "orchion.id";

// What the node adds to a ContainerConfig.
struct DocumentContext {
  node::engine::Dialect dialect = node::engine::Dialect::kDocker;
  std::string cluster_short_id;
  std::vector<std::string> oci_runtimes;  // Docker's
  bool wires = false;                     // a container's own network namespace can be wired once it is there
  bool weighs_disks = true;
  std::filesystem::path folder;  // with resolv.conf, hosts and hostname
  std::filesystem::path gate_folder;
  std::filesystem::path files_folder;  // config.files by their number
};

// The body of a create. kInvalidArgument, kFailedPrecondition: what this engine can't do, and what to do instead;
// nothing that was asked for is left out. Pure.
base::Result<std::string> container_document(const ContainerConfig& config, const DocumentContext& context);

}  // namespace orchion::node::runtimes::engine
