#pragma once

// Scalars as Compose writes them. The `parse_` functions are pure; the `read_` ones take a node, add a problem
// where it doesn't fit, and then return nullopt. `what` is the key, for the message.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "spec/problems.h"

namespace orchion::spec {

// "512m", "1.5gb", "1048576": powers of 1024. kInvalidArgument without a place, as all of these.
base::Result<std::int64_t> parse_bytes(std::string_view text);

// "1m30s", "500ms", "10s".
base::Result<base::Duration> parse_duration(std::string_view text);

// "0.5" cores as billionths.
base::Result<std::int64_t> parse_nano_cpus(std::string_view text);

// Words as a POSIX shell would split them: quotes and backslashes, nothing expanded.
base::Result<std::vector<std::string>> split_words(std::string_view text);

// "0440", "0o440" and "1777": permissions.
base::Result<std::uint32_t> parse_file_mode(std::string_view text);

std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<bool> parse_bool(std::string_view text);

// The value of `key`; nullptr where it isn't there, or says nothing.
const Node* find_value(const Node& map, std::string_view key);

std::optional<std::string> read_text(const Node& node, std::string_view what, Problems& problems);
std::optional<bool> read_bool(const Node& node, std::string_view what, Problems& problems);
std::optional<std::int64_t> read_integer(const Node& node, std::string_view what, std::int64_t least, std::int64_t most,
                                         Problems& problems);
std::optional<std::int64_t> read_bytes(const Node& node, std::string_view what, Problems& problems);
std::optional<std::int64_t> read_nano_cpus(const Node& node, std::string_view what, Problems& problems);
std::optional<base::Duration> read_duration(const Node& node, std::string_view what, Problems& problems);

// A list of scalars; with `one_is_a_list` a single scalar too.
enum class Single { kRefused, kIsAList };
std::vector<std::string> read_list(const Node& node, std::string_view what, Single single, Problems& problems);

// A map of scalars, or a list of "KEY=VALUE". A value is nullopt where there is none (`KEY`, `KEY:`).
struct Pair {
  std::string key;
  std::optional<std::string> value;
  Position at;
};
std::vector<Pair> read_pairs(const Node& node, std::string_view what, Problems& problems);

// True where it is a map; nothing at all (`key:`) counts as an empty one. Else adds a problem.
bool expect_map(const Node& node, std::string_view what, Problems& problems);
bool expect_list(const Node& node, std::string_view what, Problems& problems);

}  // namespace orchion::spec
