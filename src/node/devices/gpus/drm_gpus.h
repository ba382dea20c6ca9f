#pragma once

// GPUs of AMD, Intel and Apple, as the kernel's graphics drivers show them in /sys.
// Sources: https://docs.kernel.org/gpu/amdgpu/driver-misc.html, https://docs.kernel.org/gpu/amdgpu/thermal.html
// and, for the list of names, https://pci-ids.ucw.cz

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "node/devices/gpus/gpu.h"

namespace orchion::node::devices::gpus {

// One thread at a time.
class DrmGpus {
 public:
  explicit DrmGpus(std::filesystem::path root = "/") : root_(std::move(root)) {}

  // In the order of their cards. One whose driver tells of no memory of its own, as those within most processors, is
  // left out: who asks for a GPU doesn't mean it, and a file can name it. Reads files, which takes less than a
  // millisecond a GPU.
  std::vector<LocalGpu> read();

 private:
  std::string model_of(const std::string& vendor, const std::string& device, const std::filesystem::path& folder);

  std::filesystem::path root_;
  std::map<std::string, std::string> models_;  // by "VENDOR:DEVICE", as the list of PCI devices names them
};

}  // namespace orchion::node::devices::gpus
