#pragma once

// The last lines that an attempt wrote before it ended badly, fit to travel with its status and to be shown anywhere.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "v1/dispatcher.pb.h"

namespace orchion::node::agent {

constexpr std::size_t kLastLinesMax = 5;
constexpr std::size_t kLastBytesMax = 1024;  // of all lines together

// Values that must not be shown: secrets' files, whole and line by line, variables that are said to be secret, and
// those whose names speak of one. The longest first.
std::vector<std::string> secret_values(const v1::TaskAssignment& assignment);

// The newest of `lines` (the oldest first, valid UTF-8) that say something: without orders for a terminal and other
// control characters, with `secrets` blotted out, at most kLastLinesMax and kLastBytesMax. What is too long ends in
// "…".
std::vector<std::string> presentable(const std::vector<std::string>& lines, const std::vector<std::string>& secrets);

// The presentable end of what `attempt` wrote into a log folder; nothing where it can't be read. Blocks.
std::vector<std::string> last_output(const std::filesystem::path& folder, std::uint32_t attempt,
                                     const std::vector<std::string>& secrets);

}  // namespace orchion::node::agent
