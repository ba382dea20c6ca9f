#include "node/runtimes/bundle/user_ranges.h"

#include <charconv>

#include <fmt/core.h>

#include "base/file.h"
#include "base/subordinate_ids.h"
#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::bundle {

using base::Code;
using base::Result;

namespace {

// Of 2³² − 1 the kernel makes "no change".
constexpr std::uint64_t kLastUser = 0xFFFFFFFE;

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

// nullopt where no container has room, or one would have the node's root.
std::optional<UserPool> to_pool(std::uint64_t first, std::uint64_t last) {
  if (first == 0 || last > kLastUser || last < first || last - first + 1 < kUsersOfContainer) return std::nullopt;
  return UserPool{static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last)};
}

std::uint32_t hash(std::string_view text) {
  std::uint32_t value = 2166136261u;  // FNV-1a
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 16777619u;
  return value;
}

}  // namespace

Result<UserPool> parse_user_pool(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = to_number(text.substr(0, dash));
  const auto last = dash == text.npos ? std::nullopt : to_number(text.substr(dash + 1));
  if (const auto pool = first && last ? to_pool(*first, *last) : std::nullopt) return *pool;
  return base::fail(Code::kInvalidArgument,
                    fmt::format("\"{}\" is no range of users for containers: write FIRST-LAST, such as "
                                "1000000-7553599, with {} or more and without 0",
                                text, kUsersOfContainer));
}

std::optional<UserPool> find_subordinate_users(std::string_view file, std::string_view name) {
  for (const auto& range : base::parse_subordinate_ids(file, name)) {
    if (const auto pool = to_pool(range.first, range.first + range.count - 1)) return pool;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> choose_range(const UserPool& pool, const std::set<std::uint32_t>& taken,
                                          std::string_view seed) {
  const auto ranges = pool.ranges();
  const auto begin = ranges == 0 ? 0 : hash(seed) % ranges;
  // Of a pool that was another before, some may lie across ours.
  const auto is_free = [&](std::uint32_t first) {
    const auto next = taken.upper_bound(first);
    if (next != taken.end() && *next - first < kUsersOfContainer) return false;
    return next == taken.begin() || first - *std::prev(next) >= kUsersOfContainer;
  };
  for (std::uint32_t i = 0; i < ranges; ++i) {
    const auto first = pool.first + (begin + i) % ranges * kUsersOfContainer;
    if (is_free(first)) return first;
  }
  return std::nullopt;
}

Result<std::uint32_t> UserRanges::take(const std::filesystem::path& bundle) {
  const std::lock_guard lock(mutex_);
  if (const auto own = range_of(bundle)) return *own;
  std::set<std::uint32_t> taken;
  std::error_code error;
  for (const auto& other : std::filesystem::directory_iterator(bundle.parent_path(), error))
    if (const auto range = range_of(other.path())) taken.insert(*range);
  if (error) return base::fail_errno(error.value(), "cannot list the containers");
  const auto free = choose_range(pool_, taken, seed_);
  if (!free)
    return base::fail(Code::kResourceExhausted,
                      fmt::format("this node has no users left for a container with its own ({} have some): give it "
                                  "more with ORCHION_USERS",
                                  taken.size()));
  shim::RecordWriter record;
  record.add(shim::users::kFirst, *free);
  RETURN_IF_ERROR(base::write_file(bundle / shim::kUsersFile, record.text()));
  return *free;
}

std::optional<std::uint32_t> range_of(const std::filesystem::path& bundle) {
  const auto record = base::read_file(bundle / shim::kUsersFile);
  const auto first = record ? shim::find_number(*record, shim::users::kFirst, 0) : 0;
  return first > 0 ? std::optional(static_cast<std::uint32_t>(first)) : std::nullopt;
}

}  // namespace orchion::node::runtimes::bundle
