#include "node/shim/process_identity.h"

#include <charconv>
#include <cstdio>

#include <fcntl.h>

#include "node/shim/record.h"

namespace orchion::node::shim {

std::int64_t parse_process_start(std::string_view stat) {
  // Field 2 is the program's name in parentheses, which may itself hold spaces and parentheses.
  const auto name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return 0;
  auto rest = stat.substr(name_end + 2);
  if (rest[0] == 'Z' || rest[0] == 'X') return 0;
  for (int field = 3; field < 22; ++field) {
    const auto space = rest.find(' ');
    if (space == std::string_view::npos) return 0;
    rest.remove_prefix(space + 1);
  }
  std::int64_t ticks = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), ticks);
  return ticks;
}

std::int64_t process_start(std::int64_t pid) {
  if (pid <= 0) return 0;
  char path[40];
  std::snprintf(path, sizeof path, "/proc/%lld/stat", static_cast<long long>(pid));
  char text[1024];
  const auto size = read_small_file(AT_FDCWD, path, text, sizeof text);
  return size <= 0 ? 0 : parse_process_start({text, static_cast<std::size_t>(size)});
}

std::string_view boot_id(char (&buffer)[kBootIdBytes]) {
  const auto size = read_small_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", buffer, sizeof buffer);
  if (size < 36) return {};
  return {buffer, 36};
}

}  // namespace orchion::node::shim
