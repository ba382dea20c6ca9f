#pragma once

// A container's full configuration from what the user wrote, what its image says and what this node gave it. Pure.

#include <filesystem>
#include <string>
#include <vector>

#include "node/images/images.h"
#include "node/networks/networks.h"
#include "node/runtimes/runtime.h"
#include "v1/checkpoint.pb.h"

namespace orchion::node::agent {

struct ContainerInputs {
  v1::TaskAssignment assignment;
  std::vector<v1::NetworkAssignment> networks;  // of this task
  images::ImageRecord image;
  std::vector<runtimes::MountPoint> mounts;  // their sources looked up; in any order
  std::filesystem::path network_namespace;
  std::int64_t log_bytes_max = 0;
};

// kInvalidArgument where neither the service nor its image names a command.
base::Result<runtimes::ContainerConfig> container_config(const ContainerInputs& inputs);

// The task's addresses and published ports.
networks::TaskNetwork task_network(const v1::Task& task);

// "web-2", "encode-7-0": a DNS label that names the task within its stack.
std::string short_name(const v1::Task& task);

// "SIGTERM", "term" or "15" → 15; nullopt where there is no such signal.
std::optional<int> signal_number(std::string_view name);

// The service's stop signal, else the image's, else SIGTERM.
std::string stop_signal(const v1::ContainerSpec& spec, const images::ImageConfig& image);

// What images.ensure is asked for: pinned to the digest where one is known.
std::string image_reference(const v1::ContainerSpec& spec);

}  // namespace orchion::node::agent
