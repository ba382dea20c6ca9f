#include "node/devices/gpus/gpus.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/log.h"

namespace orchion::node::devices::gpus {

namespace {

// A driver that comes later, or CDI files, are noticed by then.
constexpr auto kLookAgain = std::chrono::minutes(1);

}  // namespace

Gpus::Gpus(base::Clock& clock, GpusOptions options)
    : clock_(clock), options_(std::move(options)), drm_(options_.root) {}

std::vector<v1::Gpu> Gpus::read() {
  const std::lock_guard lock(mutex_);
  std::vector<v1::Gpu> gpus;
  for (auto& local : look()) {
    local.gpu.set_cdi_name(cdi_name(local));
    gpus.push_back(std::move(local.gpu));
  }
  return gpus;
}

base::Result<std::vector<LocalGpu>> Gpus::find(const std::vector<std::string>& ids) {
  const auto all = look();
  std::vector<LocalGpu> found;
  for (const auto& id : ids) {
    const auto local = std::ranges::find(all, id, [](const LocalGpu& each) { return each.gpu.id(); });
    if (local == all.end())
      return base::fail(base::Code::kNotFound,
                        fmt::format("GPU {} isn't in this machine any more: see `orchion node inspect`", id));
    found.push_back(*local);
  }
  return found;
}

base::Result<> Gpus::name(const std::vector<std::string>& ids, runtimes::ContainerConfig& config) {
  if (ids.empty()) return {};
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const auto found, find(ids));
  std::map<std::string, std::vector<std::string>> names;  // by variable
  for (const auto& [gpu, cdi_names, device_nodes, needs_cdi] : found) {
    if (gpu.vendor() == "nvidia") names["CUDA_VISIBLE_DEVICES"].push_back(gpu.id());
    // Without an id of its own, as some older ones are, it can't be told apart from others of its kind.
    if (gpu.vendor() == "amd" && gpu.id().find(':') == std::string::npos)
      names["ROCR_VISIBLE_DEVICES"].push_back("GPU-" + gpu.id());
  }
  for (const auto& [variable, values] : names)
    config.environment.push_back(fmt::format("{}={}", variable, fmt::join(values, ",")));
  return {};
}

base::Result<> Gpus::give(const std::vector<std::string>& ids, runtimes::ContainerConfig& config) {
  if (ids.empty()) return {};
  const std::lock_guard lock(mutex_);
  cdi_read_.reset();
  ASSIGN_OR_RETURN(const auto found, find(ids));
  for (const auto& local : found) {
    const auto& id = local.gpu.id();
    if (const auto name = cdi_name(local); !name.empty()) {
      config.devices.push_back({.source = name, .target = {}});
      continue;
    }
    if (local.needs_cdi)
      return base::fail(base::Code::kFailedPrecondition,
                        local.gpu.vendor() == "nvidia"
                            ? fmt::format("no CDI file says how a container uses GPU {}: install the NVIDIA Container "
                                          "Toolkit and run `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`",
                                          id)
                            : fmt::format("no CDI file has the device {} of GPU {}: see /etc/cdi",
                                          local.cdi_names.empty() ? "" : local.cdi_names.front(), id));
    for (const auto& node : local.device_nodes) {
      const auto given = [&](const runtimes::Device& device) { return device.source == node; };
      // Both have what all of a vendor's share.
      if (std::ranges::any_of(config.devices, given)) continue;
      config.devices.push_back({.source = node, .target = node, .permissions = "rw"});
    }
  }
  return {};
}

std::vector<LocalGpu> Gpus::look() {
  auto all = options_.described;
  const auto add = [&](std::vector<LocalGpu> found) {
    for (auto& local : found)
      if (std::ranges::none_of(all, [&](const LocalGpu& each) { return each.gpu.id() == local.gpu.id(); }))
        all.push_back(std::move(local));
  };
  add(look_for_nvidia());
  add(drm_.read());
  if (!all.empty() && (!cdi_read_ || clock_.now() - *cdi_read_ >= kLookAgain)) {
    cdi_devices_ = cdi::Registry::read(options_.cdi_folders).devices();
    cdi_read_ = clock_.now();
  }
  return all;
}

std::vector<LocalGpu> Gpus::look_for_nvidia() {
  if (nvml_) {
    if (auto found = nvml_->read()) return std::move(*found);
    nvml_.reset();
  }
  if (nvml_tried_ && clock_.now() - *nvml_tried_ < kLookAgain) return {};
  nvml_tried_ = clock_.now();
  auto opened = Nvml::open(options_.nvml);
  if (opened) {
    nvml_ = std::move(*opened);
    nvml_problem_.clear();
    return nvml_->read().value_or(std::vector<LocalGpu>());
  }
  if (opened.error().code != base::Code::kNotFound && opened.error().message != nvml_problem_) {
    nvml_problem_ = opened.error().message;
    base::log::warn("{}", nvml_problem_);
  }
  return {};
}

// Of the names under which the vendor's files may know it the first that one does.
std::string Gpus::cdi_name(const LocalGpu& local) const {
  for (const auto& name : local.cdi_names)
    if (std::ranges::find(cdi_devices_, name) != cdi_devices_.end()) return name;
  return {};
}

}  // namespace orchion::node::devices::gpus
