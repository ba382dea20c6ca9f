#pragma once

// What a container's folder says of its newest start and its newest end, whoever wrote it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::bundle {

// A process that can't be mistaken for another that got its pid.
struct ProcessIdentity {
  std::int64_t pid = 0;
  std::int64_t start = 0;  // shim/process_identity.h
};

// The newest start that succeeded.
struct StartRecord {
  std::uint32_t attempt = 0;
  ProcessIdentity process;
  ProcessIdentity shim;
  std::string boot_id;
  base::WallTime started_at;
  int terminal = -1;  // the shim's descriptor of it; only read
};

struct ExitRecord {
  std::uint32_t attempt = 0;
  ExitStatus status;
};

// The id becomes a file's, a cgroup's and the runtime binary's name: kInvalidArgument where it can't.
base::Result<> check_container_id(const std::string& id);

std::string this_boot();

// nullopt where there is none. These block.
base::Result<std::optional<StartRecord>> read_start_record(const std::filesystem::path& bundle);
base::Result<std::optional<ExitRecord>> read_exit_record(const std::filesystem::path& bundle);
base::Result<> write_start_record(const std::filesystem::path& bundle, const StartRecord& record);
// Durably.
base::Result<> write_exit_record(const std::filesystem::path& bundle, const ExitRecord& record);

}  // namespace orchion::node::runtimes::bundle
