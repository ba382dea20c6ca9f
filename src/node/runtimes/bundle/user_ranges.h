#pragma once

// Ranges of the node's users for containers that have users of their own.

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::node::runtimes::bundle {

// How many users a container has: every image's nobody (65534) is among them.
inline constexpr std::uint32_t kUsersOfContainer = 65536;

// The node's users (and groups, with the same numbers) from which containers get theirs. By default what neither
// distributions nor systemd give to anybody.
// Source: https://systemd.io/UIDS-GIDS/
struct UserPool {
  std::uint32_t first = 0x70000000;
  std::uint32_t last = 0x7FFDFFFF;

  std::uint32_t ranges() const { return (last - first + 1) / kUsersOfContainer; }
  bool operator==(const UserPool&) const = default;
};

// "FIRST-LAST" with room for one container or more. kInvalidArgument says what is wrong. Pure.
base::Result<UserPool> parse_user_pool(std::string_view text);

// What a file like /etc/subuid gives to `name`: its first range with room for a container. Pure.
std::optional<UserPool> find_subordinate_users(std::string_view file, std::string_view name);

// The first of a range that is in the pool and not among `taken`; the search begins at a place that `seed` says, so
// that clusters that don't know of each other seldom meet. nullopt: there is none left. Pure.
std::optional<std::uint32_t> choose_range(const UserPool& pool, const std::set<std::uint32_t>& taken,
                                          std::string_view seed);

// Who has which range stands in the bundles themselves: a range is free again when its bundle is gone. Thread-safe; one
// instance a folder of bundles.
class UserRanges {
 public:
  UserRanges(UserPool pool, std::string seed) : pool_(pool), seed_(std::move(seed)) {}

  // The first of the range of this bundle, a folder among others of its kind: the one it has, else one that is free,
  // and the bundle's from then on. kResourceExhausted: none is left. Blocks.
  base::Result<std::uint32_t> take(const std::filesystem::path& bundle);

 private:
  const UserPool pool_;
  const std::string seed_;
  std::mutex mutex_;
};

// That of a bundle; nullopt where its container has the node's users.
std::optional<std::uint32_t> range_of(const std::filesystem::path& bundle);

}  // namespace orchion::node::runtimes::bundle
