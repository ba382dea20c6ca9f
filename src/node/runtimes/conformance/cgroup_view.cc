#include "node/runtimes/conformance/cgroup_view.h"

#include <filesystem>
#include <sstream>

#include <unistd.h>

#include "base/file.h"

namespace orchion::node::runtimes {

namespace {

constexpr const char* kRoot = "/sys/fs/cgroup";

}  // namespace

CgroupView::CgroupView(std::int64_t pid) {
  std::istringstream lines(base::read_file("/proc/" + std::to_string(pid) + "/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty()) {
      unified_ = (std::filesystem::exists(std::string(kRoot) + "/unified") ? "/sys/fs/cgroup/unified" : kRoot) + group;
      continue;
    }
    std::istringstream names(controllers);
    for (std::string name; std::getline(names, name, ',');) groups_[name] = kRoot + ("/" + controllers) + group;
  }
}

std::string CgroupView::read(const std::string& controller, const std::string& v1_file,
                             const std::string& v2_file) const {
  const auto found = groups_.find(controller);
  auto text =
      base::read_file(found == groups_.end() ? unified_ + "/" + v2_file : found->second + "/" + v1_file).value_or("");
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

// Source: proc(5), /proc/pid/stat.
double cpu_seconds(std::int64_t pid) {
  const auto text = base::read_file("/proc/" + std::to_string(pid) + "/stat").value_or("");
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string passed_over;
  for (int i = 3; i < 14; ++i) fields >> passed_over;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace orchion::node::runtimes
