#pragma once

// Where a data folder keeps what.

#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace orchion::daemon {

struct Folders {
  std::filesystem::path data;

  std::filesystem::path database() const { return data / "state.db"; }
  std::filesystem::path socket() const { return data / "orchion.sock"; }
  std::filesystem::path lock() const { return data / "server.pid"; }
  std::filesystem::path log() const { return data / "server.log"; }
  std::filesystem::path agent() const { return data / "agent"; }
  std::filesystem::path hooks() const { return data / "hooks.d"; }
  // GPUs that nothing else tells of; perhaps there is none.
  std::filesystem::path gpus() const { return data / "gpus.yaml"; }
  // What replaces the built-in checks of well-known images; perhaps there is none.
  std::filesystem::path checks() const { return data / "checks.yaml"; }
  std::filesystem::path images() const { return data / "images"; }
  std::filesystem::path registry_credentials() const { return data / "registry-auth.json"; }
  std::filesystem::path registries() const { return data / "registries.conf"; }
  std::filesystem::path containers() const { return data / "containers"; }
  std::filesystem::path executor(const std::string& name) const { return data / "executors" / name; }
  // What runs of jobs were given, on the server.
  std::filesystem::path inputs() const { return data / "inputs"; }
  std::filesystem::path volumes() const { return data / "volumes"; }
  // Of tasks that are gone.
  std::filesystem::path kept_logs() const { return data / "kept-logs"; }

  // Forgotten at boot, like what it describes.
  std::filesystem::path run(const std::string& short_id) const;
  // The same without root: a folder in memory that only this process and its containers see.
  std::filesystem::path rootless_run() const { return data / "run"; }
};

// Makes the folder, 0700; one that others may enter is kFailedPrecondition.
base::Result<> prepare_data_folder(const std::filesystem::path& data);

// Holds the data folder for this process and writes its pid there; kFailedPrecondition names the process that has it.
base::Result<base::UniqueFd> lock_data_folder(const Folders& folders, const std::string& what);

// Random, made at first use, kept in the data folder. Its first six characters mark what is made on the host.
base::Result<std::string> cluster_id(const std::filesystem::path& data);
std::string short_id(const std::string& cluster_id);

// Likewise: which of the servers that share one store this is.
base::Result<std::string> server_id(const std::filesystem::path& data);

}  // namespace orchion::daemon
