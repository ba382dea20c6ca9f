#include "base/write_all.h"

#include <cerrno>

#include <unistd.h>

namespace orchion::base {

Result<> write_all(int fd, std::string_view bytes, std::string_view action) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, action);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace orchion::base
