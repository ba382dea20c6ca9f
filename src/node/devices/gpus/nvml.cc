#include "node/devices/gpus/nvml.h"

#include <array>
#include <cstdint>
#include <optional>

#include <dlfcn.h>
#include <fmt/core.h>

namespace orchion::node::devices::gpus {

namespace {

// The library's own types, as its header declares them.
using Return = int;
using Device = struct nvmlDevice_st*;
struct Memory {
  unsigned long long total, free, used;
};
struct Utilization {
  unsigned int gpu, memory;
};

constexpr Return kSuccess = 0;
constexpr int kTemperatureOfGpu = 0;
constexpr std::size_t kTextBytes = 96;  // NVML_DEVICE_NAME_V2_BUFFER_SIZE, the longest

// `ask` takes the arguments, and a buffer with its size.
template <class Ask, class... Arguments>
std::optional<std::string> text_of(Ask ask, Arguments... arguments) {
  std::array<char, kTextBytes> text{};
  if (ask(arguments..., text.data(), static_cast<unsigned int>(text.size())) != kSuccess) return std::nullopt;
  text.back() = '\0';
  return text.data();
}

struct Closer {
  void operator()(void* handle) const { ::dlclose(handle); }
};

}  // namespace

struct Nvml::Library {
  std::unique_ptr<void, Closer> handle;
  bool begun = false;
  Return (*init)() = nullptr;
  Return (*shutdown)() = nullptr;
  const char* (*error_text)(Return) = nullptr;
  Return (*driver_version)(char*, unsigned int) = nullptr;
  Return (*count)(unsigned int*) = nullptr;
  Return (*device)(unsigned int, Device*) = nullptr;
  Return (*name)(Device, char*, unsigned int) = nullptr;
  Return (*uuid)(Device, char*, unsigned int) = nullptr;
  Return (*memory)(Device, Memory*) = nullptr;
  Return (*utilization)(Device, Utilization*) = nullptr;
  Return (*temperature)(Device, int, unsigned int*) = nullptr;
  Return (*power)(Device, unsigned int*) = nullptr;

  ~Library() {
    if (begun) shutdown();
  }

  template <class Function>
  bool find(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(::dlsym(handle.get(), symbol));
    return function != nullptr;
  }
  bool find_all() {
    return find(init, "nvmlInit_v2") && find(shutdown, "nvmlShutdown") && find(error_text, "nvmlErrorString") &&
           find(driver_version, "nvmlSystemGetDriverVersion") && find(count, "nvmlDeviceGetCount_v2") &&
           find(device, "nvmlDeviceGetHandleByIndex_v2") && find(name, "nvmlDeviceGetName") &&
           find(uuid, "nvmlDeviceGetUUID") && find(memory, "nvmlDeviceGetMemoryInfo") &&
           find(utilization, "nvmlDeviceGetUtilizationRates") && find(temperature, "nvmlDeviceGetTemperature") &&
           find(power, "nvmlDeviceGetPowerUsage");
  }
};

Nvml::Nvml(std::unique_ptr<Library> library) : library_(std::move(library)) {}
Nvml::Nvml(Nvml&&) noexcept = default;
Nvml& Nvml::operator=(Nvml&&) noexcept = default;
Nvml::~Nvml() = default;

base::Result<Nvml> Nvml::open(const std::string& library) {
  auto opened = std::make_unique<Library>();
  opened->handle.reset(::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!opened->handle) return base::fail(base::Code::kNotFound, fmt::format("there is no {} here", library));
  if (!opened->find_all())
    return base::fail(base::Code::kUnavailable,
                      fmt::format("{} lacks what orchion asks of it: update NVIDIA's driver", library));
  if (const auto result = opened->init(); result != kSuccess)
    return base::fail(base::Code::kUnavailable,
                      fmt::format("NVIDIA's driver doesn't answer ({}): see whether `nvidia-smi` does; after an update "
                                  "of the driver start the machine anew",
                                  opened->error_text(result)));
  opened->begun = true;
  return Nvml(std::move(opened));
}

std::optional<std::vector<LocalGpu>> Nvml::read() const {
  const auto& nvml = *library_;
  unsigned int count = 0;
  if (nvml.count(&count) != kSuccess) return std::nullopt;
  std::vector<LocalGpu> found;
  const auto driver = text_of(nvml.driver_version).value_or("");
  for (unsigned int i = 0; i < count; ++i) {
    Device device = nullptr;
    if (nvml.device(i, &device) != kSuccess) continue;
    const auto uuid = text_of(nvml.uuid, device);
    if (!uuid) continue;
    LocalGpu local;
    local.gpu.set_id(*uuid);
    local.gpu.set_vendor("nvidia");
    local.gpu.set_model(text_of(nvml.name, device).value_or("NVIDIA"));
    local.gpu.set_driver_version(driver);
    if (Memory memory{}; nvml.memory(device, &memory) == kSuccess) {
      local.gpu.set_memory_bytes(static_cast<std::int64_t>(memory.total));
      local.gpu.set_memory_free_bytes(static_cast<std::int64_t>(memory.free));
    }
    if (Utilization busy{}; nvml.utilization(device, &busy) == kSuccess) local.gpu.set_utilisation_percent(busy.gpu);
    if (unsigned int celsius = 0; nvml.temperature(device, kTemperatureOfGpu, &celsius) == kSuccess)
      local.gpu.set_temperature_celsius(celsius);
    if (unsigned int milliwatts = 0; nvml.power(device, &milliwatts) == kSuccess)
      local.gpu.set_power_milliwatts(milliwatts);
    // NVIDIA's generator of CDI files names them by index or by uuid, as it is told.
    local.cdi_names = {"nvidia.com/gpu=" + *uuid, fmt::format("nvidia.com/gpu={}", i)};
    local.needs_cdi = true;
    found.push_back(std::move(local));
  }
  return found;
}

}  // namespace orchion::node::devices::gpus
