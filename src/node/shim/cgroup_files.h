#pragma once

// One group, by the same path in every cgroup hierarchy of the machine (v1 has one a controller, v2 one in all,
// hybrid both). No allocation, so that the shim can use it. Paths longer than the system's limit fail.

#include <string_view>

namespace orchion::node::shim {

// Makes the group with its parents and moves the calling process into it. A cpuset hierarchy is left out: a new
// group there takes nobody before its processors are set. False where any step failed.
bool enter_cgroup(std::string_view hierarchy, std::string_view group);

// Removes the group and those below it. What still runs there is killed, and given a short while to leave. True
// when the group is gone.
bool remove_cgroup(std::string_view hierarchy, std::string_view group);

// The N of the line "oom_kill N" of memory.events (v2) or memory.oom_control (v1); 0 where there is none.
long long oom_kills(std::string_view events);

}  // namespace orchion::node::shim
