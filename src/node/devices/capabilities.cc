#include "node/devices/capabilities.h"

#include <algorithm>

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "node/devices/cgroups.h"
#include "node/devices/text.h"

namespace orchion::node::devices {

namespace {

constexpr std::int64_t kNanoPerCpu = 1'000'000'000;

std::string read(const std::filesystem::path& path) {
  return base::read_file(path, 4u << 20).value_or("");
}

// Double quotes with backslashes, single quotes, or neither.
std::string unquote(std::string_view text) {
  if (text.size() < 2 || (text[0] != '"' && text[0] != '\'') || text.back() != text[0]) return std::string(text);
  const bool escapes = text[0] == '"';
  std::string result;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (escapes && text[i] == '\\' && i + 2 < text.size()) ++i;
    result += text[i];
  }
  return result;
}

void read_disk(std::filesystem::path folder, v1::NodeCapabilities& result) {
  struct statvfs info{};
  while (::statvfs(folder.c_str(), &info) != 0) {
    if (!folder.has_relative_path()) return;
    folder = folder.has_parent_path() ? folder.parent_path() : ".";
  }
  const auto unit = static_cast<std::int64_t>(info.f_frsize);
  result.set_disk_bytes(static_cast<std::int64_t>(info.f_blocks) * unit);
  result.set_disk_free_bytes(static_cast<std::int64_t>(info.f_bavail) * unit);
}

}  // namespace

v1::NodeCapabilities read_capabilities_below(const std::filesystem::path& root) {
  v1::NodeCapabilities result;
  const auto hierarchies = parse_hierarchies(read(root / "proc/self/mountinfo"), read(root / "proc/self/cgroup"));
  const auto limits = read_limits(root, hierarchies);
  result.set_cgroup_version(static_cast<std::uint32_t>(cgroup_version(hierarchies)));

  // The kernel has already taken cpusets and affinity into this list.
  const auto status = read(root / "proc/self/status");
  const auto cpus = count_cpu_list(find_value(status, "Cpus_allowed_list", ':').value_or("")).value_or(0);
  result.set_nano_cpus(std::min(cpus * kNanoPerCpu, limits.nano_cpus.value_or(INT64_MAX)));

  const auto meminfo = read(root / "proc/meminfo");
  const auto total = find_number(meminfo, "MemTotal", ':').value_or(0) * 1024;
  const auto available = find_number(meminfo, "MemAvailable", ':').value_or(0) * 1024;
  result.set_memory_bytes(std::min(total, limits.memory_bytes.value_or(INT64_MAX)));
  result.set_memory_available_bytes(std::min(available, limits.memory_free_bytes.value_or(INT64_MAX)));

  auto release = read(root / "etc/os-release");
  if (release.empty()) release = read(root / "usr/lib/os-release");
  result.set_operating_system(parse_os_release(release));
  return result;
}

v1::NodeCapabilities read_capabilities(const std::filesystem::path& data_folder,
                                       const std::vector<v1::RuntimeInfo>& runtimes) {
  auto result = read_capabilities_below("/");
  read_disk(data_folder, result);
  utsname names{};
  if (::uname(&names) == 0) {
    result.set_kernel(names.release);
    result.set_hostname(names.nodename);
    result.set_architecture(image_architecture(names.machine));
  }
  for (const auto& runtime : runtimes) *result.add_runtimes() = runtime;
  return result;
}

std::optional<int> count_cpu_list(std::string_view list) {
  int count = 0;
  for (const auto range : split(trim(list), ',')) {
    const auto dash = range.find('-');
    const auto first = parse_number(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_number(range.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last > 1'000'000) return std::nullopt;
    count += static_cast<int>(*last - *first + 1);
  }
  if (count == 0) return std::nullopt;
  return count;
}

std::string parse_os_release(std::string_view text) {
  for (const auto* name : {"PRETTY_NAME", "NAME"}) {
    if (const auto value = find_value(text, name, '='); value && !value->empty()) return unquote(*value);
  }
  return "Linux";
}

std::string image_architecture(std::string_view machine) {
  struct Pair {
    std::string_view kernel;
    std::string_view image;
  };
  constexpr Pair kNames[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"},      {"armv6l", "arm"}, {"armv7l", "arm"},
                             {"armv8l", "arm"},   {"i386", "386"},           {"i486", "386"},   {"i586", "386"},
                             {"i686", "386"},     {"loongarch64", "loong64"}};
  for (const auto& name : kNames) {
    if (name.kernel == machine) return std::string(name.image);
  }
  return std::string(machine);
}

std::string host_architecture() {
  utsname names{};
  return ::uname(&names) == 0 ? image_architecture(names.machine) : "";
}

}  // namespace orchion::node::devices
