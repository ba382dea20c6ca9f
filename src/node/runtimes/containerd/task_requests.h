#pragma once

// What containerd is asked for, from what stands in a bundle. Pure.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "node/runtimes/containerd/containerd_client.h"

namespace orchion::node::runtimes::containerd {

struct StartPlan {
  std::string id;
  std::uint32_t attempt = 0;
  std::filesystem::path bundle;
  std::filesystem::path shim;                 // the logger
  std::vector<std::filesystem::path> layers;  // highest first
  std::string config_json;
  std::string oci_runtime;  // empty: containerd's own choice
  bool tty = false;
  bool stdin_open = false;
};

// Its label tells which attempt it was made for: 0 where there is none.
Container container_of(const StartPlan& plan);
std::uint32_t attempt_of(const Container& container);

// The root is an overlay of the image's layers, which are on the disk once whatever runs them, and the bundle's own
// writable one. What it says goes to the shim as containerd's logger.
tasks_api::CreateTaskRequest task_of(const StartPlan& plan);

// "binary://…" with everything escaped that a URL can't have.
std::string log_uri(const StartPlan& plan);

tasks_api::ExecProcessRequest exec_of(const std::string& id, const std::string& exec_id, std::string process_json);

}  // namespace orchion::node::runtimes::containerd
