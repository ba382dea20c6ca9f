#pragma once

#include <cstdint>
#include <string_view>

namespace orchion::node::shim {

// What prepare wrote for the shim. One static instance: only the pages that are used cost memory.
struct Settings {
  static constexpr int kPathBytes = 1024;
  static constexpr int kHierarchiesMax = 24;

  char runtime[kPathBytes];
  char runtime_root[kPathBytes];
  char id[128];
  char log_folder[kPathBytes];
  char cgroup[kPathBytes];
  char shim_cgroup[kPathBytes];
  char hidden_mount[kPathBytes];
  char memory_events[kPathBytes];
  char hierarchies[kHierarchiesMax][128];
  int hierarchy_count = 0;
  std::int64_t log_bytes_max = 0;
  std::int64_t stop_grace_ms = 0;
  int layers = 0;
  bool is_crun = false;
  bool is_program = false;
  bool tty = false;
  bool stdin_open = false;
  bool calls_poststop = false;
  bool own_users = false;
};

// From the settings file of `folder`; false where it is missing or something in it is too long.
bool read_settings(int folder_fd, Settings& settings);

}  // namespace orchion::node::shim
