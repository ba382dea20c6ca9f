#include "node/runtimes/bundle/container_user.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/core.h>

#include "base/split.h"

namespace orchion::node::runtimes::bundle {

namespace {

using base::split;

std::optional<std::uint32_t> to_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), id);
  // The largest stands for "no change" in chown and setuid.
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || id == UINT32_MAX)
    return std::nullopt;
  return id;
}

struct PasswdEntry {
  std::string_view name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string_view home;
};

// The first entry with this name, or else with this uid.
std::optional<PasswdEntry> find_user(std::string_view passwd, std::string_view wanted) {
  const auto wanted_uid = to_id(wanted);
  std::optional<PasswdEntry> by_uid;
  for (const auto line : split(passwd, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 6) continue;
    const auto uid = to_id(fields[2]);
    const auto gid = to_id(fields[3]);
    if (!uid || !gid) continue;
    const PasswdEntry entry{fields[0], *uid, *gid, fields[5]};
    if (entry.name == wanted) return entry;
    if (!by_uid && wanted_uid == entry.uid) by_uid = entry;
  }
  return by_uid;
}

std::optional<std::uint32_t> find_group(std::string_view group, std::string_view wanted) {
  for (const auto line : split(group, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() >= 3 && fields[0] == wanted) return to_id(fields[2]);
  }
  return to_id(wanted);
}

std::vector<std::uint32_t> groups_of(std::string_view group, std::string_view user, std::uint32_t own) {
  std::vector<std::uint32_t> gids;
  for (const auto line : split(group, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 4) continue;
    const auto members = split(fields[3], ',');
    const auto gid = to_id(fields[2]);
    if (!gid || *gid == own || std::find(members.begin(), members.end(), user) == members.end()) continue;
    if (std::find(gids.begin(), gids.end(), *gid) == gids.end()) gids.push_back(*gid);
  }
  return gids;
}

}  // namespace

base::Result<ContainerUser> resolve_user(std::string_view user, std::string_view passwd, std::string_view group) {
  const auto colon = user.find(':');
  auto name = user.substr(0, colon);
  const auto group_name = colon == std::string_view::npos ? std::string_view() : user.substr(colon + 1);
  if (name.empty()) name = "0";
  ContainerUser result;
  const auto entry = find_user(passwd, name);
  const auto number = to_id(name);
  if (!entry && !number)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("the image's /etc/passwd has no user {}: name one it has, or a number", name));
  result.uid = entry ? entry->uid : *number;
  result.gid = entry ? entry->gid : 0;
  if (entry && !entry->home.empty()) result.home = entry->home;
  if (group_name.empty()) {
    if (entry) result.additional_gids = groups_of(group, entry->name, result.gid);
    return result;
  }
  ASSIGN_OR_RETURN(result.gid, resolve_group(group_name, group));
  return result;
}

base::Result<std::uint32_t> resolve_group(std::string_view name, std::string_view group) {
  if (const auto gid = find_group(group, name)) return *gid;
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("the image's /etc/group has no group {}: name one it has, or a number", name));
}

}  // namespace orchion::node::runtimes::bundle
