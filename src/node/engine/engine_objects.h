#pragma once

// What a container engine answers, as values.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/image_health_check.h"

namespace orchion::node::engine {

enum class Dialect { kDocker, kPodman };

// "docker", "podman"
const char* dialect_name(Dialect dialect);

struct EngineVersion {
  Dialect dialect = Dialect::kDocker;
  std::string version;      // "20.10.24"
  std::string api_version;  // "1.41": the newest it speaks
};

struct EngineInfo {
  std::vector<std::string> oci_runtimes;  // the first is its own choice
};

struct ContainerState {
  std::string id;    // the engine's
  std::string name;  // without its leading "/"
  std::map<std::string, std::string> labels;
  bool ever_started = false;
  bool running = false;
  std::int64_t pid = 0;  // as the engine's machine counts; 0 unless running
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;  // why the engine could not start it
  base::WallTime started_at;
  base::WallTime finished_at;
  std::string log_path;  // of its log driver's file on the engine's machine; empty where there is none yet
  bool tty = false;
};

struct ContainerSummary {
  std::string id;
  std::string name;
  std::map<std::string, std::string> labels;
  std::string image;
  std::string state;  // "running", "exited"
  base::WallTime created_at;
};

struct ExecRequest {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string user;
  std::string working_dir;
  bool tty = false;
  bool stdin = false;
};

struct ExecState {
  bool running = false;
  int exit_code = 0;
};

struct EngineImage {
  std::string id;  // "sha256:…" of its configuration
  std::vector<std::string> tags;
  std::vector<std::string> digests;  // "name@sha256:…"
  std::string architecture;
  std::int64_t size_bytes = 0;
  base::WallTime created_at;
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> environment;
  std::string working_dir;
  std::string user;
  std::string stop_signal;
  std::vector<std::string> volumes;
  std::map<std::string, std::string> labels;
  std::optional<core::ImageHealthCheck> health_check;
};

}  // namespace orchion::node::engine
