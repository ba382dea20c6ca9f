#include "node/runtimes/bundle/devices.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace orchion::node::runtimes::bundle {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDevicesMax = 1'000;

std::optional<DeviceNode> device_at(const fs::path& source, const fs::path& target, const Device& asked) {
  struct stat info{};
  if (::stat(source.c_str(), &info) != 0 || (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))) return std::nullopt;
  return DeviceNode{.path = target.lexically_normal().string(),
                    .type = S_ISCHR(info.st_mode) ? 'c' : 'b',
                    .major = ::major(info.st_rdev),
                    .minor = ::minor(info.st_rdev),
                    .mode = asked.mode.value_or(info.st_mode & 0777),
                    .uid = asked.uid.value_or(info.st_uid),
                    .gid = asked.gid.value_or(info.st_gid),
                    .permissions = asked.permissions};
}

// The devices in a folder and below it; links and the rest are passed over.
void add_folder(const Device& folder, std::vector<DeviceNode>& found) {
  std::error_code error;
  fs::recursive_directory_iterator entries(folder.source, fs::directory_options::skip_permission_denied, error);
  for (; !error && entries != fs::end(entries) && found.size() < kDevicesMax; entries.increment(error)) {
    if (entries->is_symlink(error)) continue;
    const auto below = entries->path().lexically_relative(folder.source);
    if (auto device = device_at(entries->path(), folder.target / below, folder)) found.push_back(*std::move(device));
  }
}

}  // namespace

base::Result<std::vector<DeviceNode>> find_devices(const std::vector<Device>& devices) {
  std::vector<DeviceNode> found;
  for (const auto& device : devices) {
    std::error_code error;
    const auto before = found.size();
    if (fs::is_directory(device.source, error)) {
      add_folder(device, found);
    } else if (auto node = device_at(device.source, device.target, device)) {
      found.push_back(*std::move(node));
    }
    if (found.size() == before)
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("{} is no device of this node: name one it has, or place the service elsewhere",
                                    device.source.string()));
  }
  return found;
}

std::vector<DeviceNode> all_devices() {
  std::vector<DeviceNode> found;
  add_folder({"/dev", "/dev", "rwm"}, found);
  std::erase_if(found, [](const DeviceNode& device) {
    const std::string_view path = device.path;
    return path.starts_with("/dev/pts/") || path.starts_with("/dev/shm/") || path.starts_with("/dev/mqueue/") ||
           path == "/dev/console" || path == "/dev/ptmx" || path == "/dev/tty";
  });
  std::ranges::sort(found, {}, &DeviceNode::path);
  return found;
}

base::Result<std::vector<NumberedRate>> find_rates(const std::vector<BlockDeviceRate>& rates) {
  std::vector<NumberedRate> found;
  for (const auto& rate : rates) {
    const auto device = device_at(rate.path, rate.path, {});
    if (!device || device->type != 'b')
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("{} is no disk of this node: name one it has, or place the service elsewhere",
                                    rate.path.string()));
    found.push_back({device->major, device->minor, rate.rate});
  }
  return found;
}

}  // namespace orchion::node::runtimes::bundle
