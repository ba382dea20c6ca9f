#pragma once

// A pid is reused; together with its start time and the boot it is not.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace orchion::node::shim {

// In clock ticks since boot, from /proc/PID/stat; 0 where there is no such process, or only its corpse.
// Source: proc_pid_stat(5), fields 3 and 22.
std::int64_t process_start(std::int64_t pid);

// The same from the text of such a file.
std::int64_t parse_process_start(std::string_view stat);

// This boot's id, 36 characters, into `buffer`; empty where /proc doesn't tell.
constexpr std::size_t kBootIdBytes = 64;
std::string_view boot_id(char (&buffer)[kBootIdBytes]);

}  // namespace orchion::node::shim
