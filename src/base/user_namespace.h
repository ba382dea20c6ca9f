#pragma once

// Whether this process is in a user namespace other than the machine's. Root of one can't make device nodes, set what
// is trusted on files, or give files to users that the namespace doesn't have. Source: user_namespaces(7).

#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace orchion::base {

// Without allocation, so that the small programs can ask too.
inline bool is_in_user_namespace() {
  const int file = ::open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char text[256];
  const auto size = ::read(file, text, sizeof text);
  ::close(file);
  if (size <= 0) return false;
  // The machine's own is one line: "         0          0 4294967295".
  const std::string_view map(text, static_cast<std::size_t>(size));
  constexpr std::string_view kAll = "4294967295";
  return map.find(kAll) == map.npos;
}

}  // namespace orchion::base
