#pragma once

// NVIDIA's GPUs, by the library that comes with their driver. Nothing of it is needed to build or to run elsewhere.
// Source: https://docs.nvidia.com/deploy/nvml-api/

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "node/devices/gpus/gpu.h"

namespace orchion::node::devices::gpus {

// One thread at a time. Calls block, for milliseconds where the driver is well.
class Nvml {
 public:
  static constexpr const char* kLibrary = "libnvidia-ml.so.1";

  // kNotFound where there is no such library; kUnavailable, with what the library says, where there is no driver, or
  // another version's: it was updated and the machine not started anew.
  static base::Result<Nvml> open(const std::string& library = kLibrary);
  Nvml(Nvml&&) noexcept;
  Nvml& operator=(Nvml&&) noexcept;
  ~Nvml();

  // What a GPU doesn't tell is left out; one that has fallen off the bus is not there. Nothing at all where the driver
  // answers no more, as after its update: open it anew.
  std::optional<std::vector<LocalGpu>> read() const;

 private:
  struct Library;
  explicit Nvml(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

}  // namespace orchion::node::devices::gpus
