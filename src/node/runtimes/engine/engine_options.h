#pragma once

#include <filesystem>
#include <string>

#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::engine {

struct EngineOptions {
  std::filesystem::path socket;        // "/var/run/docker.sock"
  std::string cluster_short_id;        // containers are "orchion-ID-…" and labelled with it
  std::filesystem::path state_folder;  // forgotten at boot; secrets are in it, in memory
  std::filesystem::path data_folder;   // kept: records, logs, the gate; on a file system that allows execution
  WireNamespace wire;                  // needed where the engine can't join a network namespace: Docker
};

}  // namespace orchion::node::runtimes::engine
