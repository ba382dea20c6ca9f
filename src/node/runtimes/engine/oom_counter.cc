#include "node/runtimes/engine/oom_counter.h"

#include <sstream>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "node/shim/cgroup_files.h"

namespace orchion::node::runtimes::engine {

OomCounter OomCounter::of(std::int64_t pid) {
  OomCounter counter;
  // "4:memory:/a/b" and "0::/a/b". Source: cgroups(7)
  std::istringstream lines(base::read_file(fmt::format("/proc/{}/cgroup", pid)).value_or(""));
  std::string line;
  while (!counter.events_ && std::getline(lines, line)) {
    const auto path_at = line.find(":/");
    if (path_at == std::string::npos) continue;
    const auto group = line.substr(path_at + 1);
    std::string file;
    if (line.substr(0, path_at).ends_with(":memory")) file = "/sys/fs/cgroup/memory" + group + "/memory.oom_control";
    if (line.starts_with("0::")) file = "/sys/fs/cgroup" + group + "/memory.events";
    if (!file.empty()) counter.events_.reset(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  }
  return counter;
}

bool OomCounter::any() const {
  char text[1024];
  const auto n = ::pread(events_.get(), text, sizeof text, 0);
  return n > 0 && shim::oom_kills({text, static_cast<std::size_t>(n)}) > 0;
}

}  // namespace orchion::node::runtimes::engine
