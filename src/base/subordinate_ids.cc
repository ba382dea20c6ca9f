#include "base/subordinate_ids.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include "base/file.h"

namespace orchion::base {

namespace {

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string own_name() {
  char buffer[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::getuid(), &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) return found->pw_name;
  return std::to_string(::getuid());
}

std::uint32_t count_of(const std::vector<IdRange>& ranges) {
  std::uint32_t count = 0;
  for (const auto& range : ranges) count += range.count;
  return count;
}

// An image may have files of any of its users: the usual ones go up to 65534.
constexpr std::uint32_t kIdsMin = 65535;

}  // namespace

Result<SubordinateIds> find_subordinate_ids() {
  const auto name = own_name();
  const auto read = [&](const char* file) {
    return parse_subordinate_ids(read_file(file).value_or(""), name, ::getuid());
  };
  SubordinateIds ids{read("/etc/subuid"), read("/etc/subgid")};
  if (count_of(ids.users) < kIdsMin || count_of(ids.groups) < kIdsMin)
    return fail(Code::kFailedPrecondition,
                fmt::format("containers without root need {} users and groups of their own: `sudo usermod "
                            "--add-subuids 100000-165535 --add-subgids 100000-165535 {}`, then start this again",
                            kIdsMin, name));
  return ids;
}

std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view name,
                                           std::optional<std::uint32_t> uid) {
  std::vector<IdRange> ranges;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const auto who = line.substr(0, first);
    if (who != name && (!uid || number(who) != uid)) continue;
    const auto start = number(line.substr(first + 1, second - first - 1));
    const auto count = number(line.substr(second + 1));
    if (start && count && *count > 0 && *count <= UINT32_MAX - *start) ranges.push_back({*start, *count});
  }
  return ranges;
}

std::vector<std::string> map_arguments(std::uint32_t own, const std::vector<IdRange>& ranges) {
  std::vector<std::string> arguments = {"0", std::to_string(own), "1"};
  std::uint32_t inside = 1;
  for (const auto& range : ranges) {
    arguments.insert(arguments.end(),
                     {std::to_string(inside), std::to_string(range.first), std::to_string(range.count)});
    inside += range.count;
  }
  return arguments;
}

}  // namespace orchion::base
