#include "node/devices/cgroups.h"

#include <algorithm>
#include <charconv>

#include "base/file.h"
#include "node/devices/text.h"

namespace orchion::node::devices {

namespace {

// mountinfo writes blanks and backslashes of paths as three octal digits.
std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8).ptr == text.data() + i + 4) {
      result += static_cast<char>(value);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

struct Membership {
  std::vector<std::string_view> controllers;  // empty: version 2
  std::string_view group;
};

// "4:cpu,cpuacct:/a/b"; the group may hold colons.
std::optional<Membership> parse_membership(std::string_view line) {
  const auto first = line.find(':');
  const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  Membership result{{}, line.substr(second + 1)};
  const auto names = line.substr(first + 1, second - first - 1);
  if (!names.empty()) result.controllers = split(names, ',');
  return result;
}

// Where `group` lies below a mount whose top is the group `mount_root`. A process outside what is mounted (in a
// container without a cgroup namespace of its own) sees its own group as the mount's top.
std::filesystem::path below_mount(std::string_view group, std::string_view mount_root) {
  if (mount_root == "/") return std::string(group);
  if (group.substr(0, mount_root.size()) == mount_root) {
    const auto rest = group.substr(mount_root.size());
    if (rest.empty()) return "/";
    if (rest[0] == '/') return std::string(rest);
  }
  return "/";
}

std::optional<std::int64_t> read_number(const std::filesystem::path& path) {
  const auto text = base::read_file(path, 4096);
  return text ? parse_number(trim(*text)) : std::nullopt;
}

void tighten(std::optional<std::int64_t>& limit, std::optional<std::int64_t> other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

std::optional<std::int64_t> quota_v1(const std::filesystem::path& group) {
  const auto quota = read_number(group / "cpu.cfs_quota_us");
  const auto period = read_number(group / "cpu.cfs_period_us");
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<std::int64_t>(static_cast<double>(*quota) / static_cast<double>(*period) * 1e9);
}

// "150000 100000" or "max 100000".
std::optional<std::int64_t> quota_v2(const std::filesystem::path& group) {
  const auto text = base::read_file(group / "cpu.max", 4096);
  if (!text) return std::nullopt;
  const auto words = split(trim(*text), ' ');
  if (words.size() != 2) return std::nullopt;
  const auto quota = parse_number(words[0]);
  const auto period = parse_number(words[1]);
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<std::int64_t>(static_cast<double>(*quota) / static_cast<double>(*period) * 1e9);
}

// Version 1 writes "no limit" as the largest page-aligned number.
constexpr std::int64_t kUnlimited = std::int64_t{1} << 62;

void apply_memory(const std::filesystem::path& group, int version, CgroupLimits& limits) {
  const auto limit = read_number(group / (version == 1 ? "memory.limit_in_bytes" : "memory.max"));
  if (!limit || *limit >= kUnlimited) return;
  tighten(limits.memory_bytes, limit);
  const auto used = read_number(group / (version == 1 ? "memory.usage_in_bytes" : "memory.current")).value_or(0);
  const auto stat = base::read_file(group / "memory.stat", 65536).value_or("");
  const auto cache = find_number(stat, version == 1 ? "total_inactive_file" : "inactive_file", ' ').value_or(0);
  const auto free = *limit - std::max<std::int64_t>(0, used - cache);
  tighten(limits.memory_free_bytes, std::clamp<std::int64_t>(free, 0, *limit));
}

}  // namespace

std::vector<CgroupHierarchy> parse_hierarchies(std::string_view mountinfo, std::string_view self_cgroup) {
  std::vector<Membership> memberships;
  for (const auto line : split(self_cgroup, '\n')) {
    if (auto membership = parse_membership(line)) memberships.push_back(std::move(*membership));
  }
  std::vector<CgroupHierarchy> result;
  for (const auto line : split(mountinfo, '\n')) {
    const auto separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    const auto before = split(line.substr(0, separator), ' ');
    const auto after = split(line.substr(separator + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    if (after[0] != "cgroup" && after[0] != "cgroup2") continue;
    CgroupHierarchy hierarchy{after[0] == "cgroup" ? 1 : 2, {}, unescape(before[4]), "/"};
    const auto options = split(after[2], ',');
    for (const auto& membership : memberships) {
      const bool same =
          hierarchy.version == 2
              ? membership.controllers.empty()
              : !membership.controllers.empty() &&
                    std::all_of(membership.controllers.begin(), membership.controllers.end(),
                                [&](auto c) { return std::find(options.begin(), options.end(), c) != options.end(); });
      if (!same) continue;
      hierarchy.group = below_mount(membership.group, unescape(before[3]));
      for (const auto controller : membership.controllers) {
        if (controller.find('=') == std::string_view::npos) hierarchy.controllers.emplace_back(controller);
      }
    }
    result.push_back(std::move(hierarchy));
  }
  return result;
}

int cgroup_version(const std::vector<CgroupHierarchy>& hierarchies) {
  int version = 0;
  for (const auto& hierarchy : hierarchies) version |= hierarchy.version;
  return version;
}

CgroupLimits read_limits(const std::filesystem::path& root, const std::vector<CgroupHierarchy>& hierarchies) {
  CgroupLimits limits;
  for (const auto& hierarchy : hierarchies) {
    const auto holds = [&](const char* controller) {
      return hierarchy.version == 2 || std::find(hierarchy.controllers.begin(), hierarchy.controllers.end(),
                                                 controller) != hierarchy.controllers.end();
    };
    const auto top = root / hierarchy.mount_point.relative_path();
    for (auto group = hierarchy.group.relative_path();; group = group.parent_path()) {
      const auto folder = group.empty() ? top : top / group;
      if (holds("cpu")) tighten(limits.nano_cpus, hierarchy.version == 1 ? quota_v1(folder) : quota_v2(folder));
      if (holds("memory")) apply_memory(folder, hierarchy.version, limits);
      if (group.empty()) break;
    }
  }
  return limits;
}

}  // namespace orchion::node::devices
