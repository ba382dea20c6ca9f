#include "node/devices/gpus/drm_gpus.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include <fmt/core.h>

#include "base/file.h"
#include "node/devices/text.h"

namespace orchion::node::devices::gpus {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kAmd = "0x1002", kIntel = "0x8086";
constexpr std::size_t kPciIdsBytesMax = 8u << 20;

std::string read_text(const fs::path& path) {
  return std::string(trim(base::read_file(path, 1u << 16).value_or("")));
}

std::int64_t read_number(const fs::path& path) {
  return std::max<std::int64_t>(parse_number(read_text(path)).value_or(0), 0);
}

std::string link_name(const fs::path& path) {
  std::error_code ignored;
  return fs::read_symlink(path, ignored).filename().string();
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    found.push_back(it->path());
  std::ranges::sort(found);
  return found;
}

// 12 of "card12"; none of "card0-DP-1", which is a plug of it.
std::optional<int> card_number(const std::string& name) {
  constexpr std::string_view kCard = "card";
  if (!name.starts_with(kCard)) return std::nullopt;
  int number = 0;
  const auto* last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data() + kCard.size(), last, number);
  return error == std::errc() && end == last ? std::optional(number) : std::nullopt;
}

// "744c" of vendor "1002" in the list of PCI devices: a vendor's line begins with its number, its devices' with a tab,
// their variants' with two.
std::optional<std::string> name_in(std::string_view list, std::string_view vendor, std::string_view device) {
  bool within = false;
  while (!list.empty()) {
    const auto end = list.find('\n');
    const auto line = list.substr(0, end);
    list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
    if (line.empty() || line[0] == '#') continue;
    if (line[0] != '\t') {
      if (within) return std::nullopt;
      within = line.starts_with(vendor);
    } else if (within && line.substr(1).starts_with(device)) {
      return std::string(trim(line.substr(1 + device.size())));
    }
  }
  return std::nullopt;
}

void read_sensors(const fs::path& device, v1::Gpu& gpu) {
  for (const auto& sensors : entries(device / "hwmon")) {
    if (const auto milli = read_number(sensors / "temp1_input"); milli > 0)
      gpu.set_temperature_celsius(static_cast<std::uint32_t>(milli / 1000));
    auto micro = read_number(sensors / "power1_average");
    if (micro == 0) micro = read_number(sensors / "power1_input");
    if (micro > 0) gpu.set_power_milliwatts(static_cast<std::uint32_t>(micro / 1000));
  }
}

void read_amd(const fs::path& device, v1::Gpu& gpu) {
  gpu.set_vendor("amd");
  gpu.set_memory_bytes(read_number(device / "mem_info_vram_total"));
  gpu.set_memory_free_bytes(std::max<std::int64_t>(gpu.memory_bytes() - read_number(device / "mem_info_vram_used"), 0));
  gpu.set_utilisation_percent(
      static_cast<std::uint32_t>(std::min<std::int64_t>(read_number(device / "gpu_busy_percent"), 100)));
}

// Some versions of the driver i915 tell the memory of the card, some of xe that of each tile; others say nothing.
void read_intel(const fs::path& card, const fs::path& device, v1::Gpu& gpu) {
  gpu.set_vendor("intel");
  auto bytes = read_number(card / "lmem_total_bytes");
  const auto free = read_number(card / "lmem_avail_bytes");
  for (const auto& tile : entries(device))
    if (tile.filename().string().starts_with("tile")) bytes += read_number(tile / "physical_vram_size_bytes");
  gpu.set_memory_bytes(bytes);
  gpu.set_memory_free_bytes(free > 0 ? free : bytes);
}

}  // namespace

std::string DrmGpus::model_of(const std::string& vendor, const std::string& device, const fs::path& folder) {
  if (auto named = read_text(folder / "product_name"); !named.empty()) return named;
  const auto [known, is_new] = models_.try_emplace(vendor + ":" + device);
  if (is_new) {
    const auto list = base::read_file(root_ / "usr/share/misc/pci.ids", kPciIdsBytesMax).value_or("");
    const auto name = name_in(list, std::string_view(vendor).substr(2), std::string_view(device).substr(2));
    known->second = fmt::format("{} {}", vendor == kAmd ? "AMD" : "Intel", name.value_or("GPU " + device));
  }
  return known->second;
}

std::vector<LocalGpu> DrmGpus::read() {
  std::vector<std::pair<int, LocalGpu>> found;
  for (const auto& card : entries(root_ / "sys/class/drm")) {
    const auto number = card_number(card.filename().string());
    if (!number) continue;
    const auto device = card / "device";
    const auto driver = link_name(device / "driver");
    const auto vendor = read_text(device / "vendor");
    const auto model = read_text(device / "device");
    LocalGpu local;
    auto& gpu = local.gpu;
    if (vendor == kAmd && model.starts_with("0x")) {
      read_amd(device, gpu);
    } else if (vendor == kIntel && model.starts_with("0x")) {
      read_intel(card, device, gpu);
    } else if (driver == "asahi") {
      gpu.set_vendor("apple");
    } else {
      continue;
    }
    if (gpu.vendor() == "apple") {
      // One memory for all.
      const auto meminfo = base::read_file(root_ / "proc/meminfo", 1u << 16).value_or("");
      gpu.set_memory_bytes(find_number(meminfo, "MemTotal", ':').value_or(0) * 1024);
      gpu.set_memory_free_bytes(find_number(meminfo, "MemAvailable", ':').value_or(0) * 1024);
      auto name = read_text(root_ / "proc/device-tree/model");
      name.erase(std::remove(name.begin(), name.end(), '\0'), name.end());
      gpu.set_model(name.empty() ? "Apple GPU" : name);
      gpu.set_id("apple");
    } else {
      gpu.set_model(model_of(vendor, model, device));
      const auto unique = read_text(device / "unique_id");
      const auto address = link_name(card / "device");
      gpu.set_id(!unique.empty() && unique != "0" ? unique : address);
    }
    if (gpu.memory_bytes() == 0 || gpu.id().empty()) continue;
    read_sensors(device, gpu);
    const auto version = read_text(root_ / "sys/module" / driver / "version");
    gpu.set_driver_version(version.empty() ? driver : fmt::format("{} {}", driver, version));
    local.device_nodes.push_back(fmt::format("/dev/dri/card{}", *number));
    for (const auto& node : entries(device / "drm"))
      if (const auto name = node.filename().string(); name.starts_with("renderD"))
        local.device_nodes.push_back("/dev/dri/" + name);
    // All of AMD's computing goes through it, where the kernel has it.
    if (std::error_code error; gpu.vendor() == "amd" && fs::exists(root_ / "dev/kfd", error))
      local.device_nodes.emplace_back("/dev/kfd");
    found.emplace_back(*number, std::move(local));
  }
  std::ranges::sort(found, {}, [](const auto& entry) { return entry.first; });
  std::vector<LocalGpu> gpus;
  std::map<std::string, int> of_vendor;
  for (auto& [number, local] : found) {
    // As the generators of CDI files count them.
    local.cdi_names = {fmt::format("{0}.com/gpu={1}", local.gpu.vendor(), of_vendor[local.gpu.vendor()]++)};
    gpus.push_back(std::move(local));
  }
  return gpus;
}

}  // namespace orchion::node::devices::gpus
