#include "node/shim/program/settings.h"

#include <cstring>

#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::shim {

namespace {

template <std::size_t N>
bool copy_text(std::string_view value, char (&into)[N]) {
  if (value.size() >= N) return false;
  std::memcpy(into, value.data(), value.size());
  into[value.size()] = '\0';
  return true;
}

}  // namespace

bool read_settings(int folder_fd, Settings& settings) {
  char text[16384];
  const auto size = read_small_file(folder_fd, kSettingsFile, text, sizeof text);
  if (size <= 0) return false;
  const std::string_view record(text, static_cast<std::size_t>(size));
  if (!is_whole_settings(record)) return false;
  std::size_t position = 0;
  std::string_view value;
  while (next_value(record, setting::kHierarchy, position, value)) {
    if (settings.hierarchy_count == Settings::kHierarchiesMax) return false;
    if (!copy_text(value, settings.hierarchies[settings.hierarchy_count++])) return false;
  }
  settings.log_bytes_max = find_number(record, setting::kLogBytesMax, 1 << 20);
  settings.stop_grace_ms = find_number(record, setting::kStopGraceMs, 10'000);
  settings.layers = static_cast<int>(find_number(record, setting::kLayers, 0));
  settings.is_crun = find_number(record, setting::kIsCrun, 0) != 0;
  settings.is_program = find_number(record, setting::kIsProgram, 0) != 0;
  settings.tty = find_number(record, setting::kTty, 0) != 0;
  settings.calls_poststop = find_number(record, setting::kCallsPoststop, 0) != 0;
  settings.own_users = find_number(record, setting::kOwnUsers, 0) != 0;
  settings.stdin_open = find_number(record, setting::kStdinOpen, 0) != 0;
  return copy_text(find_text(record, setting::kRuntime), settings.runtime) &&
         copy_text(find_text(record, setting::kRuntimeRoot), settings.runtime_root) &&
         copy_text(find_text(record, setting::kId), settings.id) &&
         copy_text(find_text(record, setting::kLogFolder), settings.log_folder) &&
         copy_text(find_text(record, setting::kCgroup), settings.cgroup) &&
         copy_text(find_text(record, setting::kShimCgroup), settings.shim_cgroup) &&
         copy_text(find_text(record, setting::kHiddenMount), settings.hidden_mount) &&
         copy_text(find_text(record, setting::kMemoryEvents), settings.memory_events);
}

}  // namespace orchion::node::shim
