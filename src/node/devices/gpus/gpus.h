#pragma once

// The GPUs of this machine, from whoever tells of them, and what containers are given of them.

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "node/devices/cdi/cdi_registry.h"
#include "node/devices/gpus/drm_gpus.h"
#include "node/devices/gpus/gpu.h"
#include "node/devices/gpus/nvml.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::devices::gpus {

struct GpusOptions {
  std::vector<LocalGpu> described = {};  // by the node's file; in the place of a found one with the same id
  std::vector<std::filesystem::path> cdi_folders = {"/etc/cdi", "/var/run/cdi"};
  std::filesystem::path root = "/";  // above sys, proc, dev and usr, where GPUs are looked for
  std::string nvml = Nvml::kLibrary;
};

// Thread-safe. `clock` outlives it.
class Gpus {
 public:
  Gpus(base::Clock& clock, GpusOptions options);

  // What they are and how busy, as of now. Blocks, as the drivers do.
  std::vector<v1::Gpu> read();

  // Adds what a container needs to use these, by their ids: the vendor's CDI device, else device files. kNotFound where
  // one isn't there any more; kFailedPrecondition, with what to install, where a container could do nothing with it.
  // Blocks.
  base::Result<> give(const std::vector<std::string>& ids, runtimes::ContainerConfig& config);

  // For a program of the machine itself, which sees all of them: adds the variables by which NVIDIA's and AMD's
  // libraries keep to these. Errors and time as of give().
  base::Result<> name(const std::vector<std::string>& ids, runtimes::ContainerConfig& config);

 private:
  base::Result<std::vector<LocalGpu>> find(const std::vector<std::string>& ids);
  std::vector<LocalGpu> look();
  std::vector<LocalGpu> look_for_nvidia();
  std::string cdi_name(const LocalGpu& local) const;

  base::Clock& clock_;
  const GpusOptions options_;
  std::mutex mutex_;
  DrmGpus drm_;
  std::optional<Nvml> nvml_;
  std::optional<base::Time> nvml_tried_;
  std::string nvml_problem_;
  std::vector<std::string> cdi_devices_;
  std::optional<base::Time> cdi_read_;
};

}  // namespace orchion::node::devices::gpus
