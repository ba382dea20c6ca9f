#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace orchion::node::runtimes {

// The control groups of a process, as the node sees them: v1, v2, or both.
class CgroupView {
 public:
  explicit CgroupView(std::int64_t pid);

  // Of v1's groups, or of the one group of v2 where no v1 hierarchy has the controller.
  bool is_v1(const std::string& controller) const { return groups_.contains(controller); }

  // A file in the group that has the controller, without its last line's end; empty where there is none.
  std::string read(const std::string& controller, const std::string& v1_file, const std::string& v2_file) const;

 private:
  std::map<std::string, std::string> groups_;  // of v1: the controller → the group's folder
  std::string unified_;
};

// What a process used of processors, in seconds.
double cpu_seconds(std::int64_t pid);

}  // namespace orchion::node::runtimes
