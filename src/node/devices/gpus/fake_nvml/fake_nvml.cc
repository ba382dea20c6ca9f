// A library with NVML's functions, for tests: as many GPUs as FAKE_NVML_GPUS says, and without any no driver.

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kSuccess = 0, kNotSupported = 3, kNotFound = 6, kDriverNotLoaded = 9;

unsigned int gpus() {
  const char* count = std::getenv("FAKE_NVML_GPUS");
  return count != nullptr ? static_cast<unsigned int>(std::atoi(count)) : 0;
}

unsigned int number_of(void* device) {
  return static_cast<unsigned int>(reinterpret_cast<std::size_t>(device) - 1);
}

}  // namespace

extern "C" {
int nvmlInit_v2() {
  return gpus() > 0 ? kSuccess : kDriverNotLoaded;
}
int nvmlShutdown() {
  return kSuccess;
}
const char* nvmlErrorString(int) {
  return "Driver Not Loaded";
}
int nvmlSystemGetDriverVersion(char* text, unsigned int bytes) {
  std::snprintf(text, bytes, "550.0");
  return kSuccess;
}
int nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = gpus();
  return *count > 0 ? kSuccess : kDriverNotLoaded;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** device) {
  if (index >= gpus()) return kNotFound;
  *device = reinterpret_cast<void*>(std::size_t{index} + 1);
  return kSuccess;
}
int nvmlDeviceGetName(void* device, char* text, unsigned int bytes) {
  std::snprintf(text, bytes, "NVIDIA Fake %u", number_of(device));
  return kSuccess;
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned int bytes) {
  std::snprintf(text, bytes, "GPU-fake-%u", number_of(device));
  return kSuccess;
}
int nvmlDeviceGetMemoryInfo(void*, unsigned long long* memory) {
  memory[0] = 24ull << 30;
  memory[1] = 20ull << 30;
  memory[2] = 4ull << 30;
  return kSuccess;
}
int nvmlDeviceGetUtilizationRates(void*, unsigned int* busy) {
  busy[0] = 42;
  busy[1] = 7;
  return kSuccess;
}
int nvmlDeviceGetTemperature(void*, int, unsigned int* celsius) {
  *celsius = 61;
  return kSuccess;
}
int nvmlDeviceGetPowerUsage(void*, unsigned int*) {
  return kNotSupported;
}
}
