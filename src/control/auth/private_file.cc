#include "control/auth/private_file.h"

#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>

namespace orchion::control::auth {

base::Result<> check_private(const std::filesystem::path& file, const std::string& advice) {
  struct stat status{};
  if (::lstat(file.c_str(), &status) != 0) return base::fail_errno(errno, "looking at " + file.string());
  if (S_ISREG(status.st_mode) && (status.st_mode & 077) == 0) return {};
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("{} can be read by others; {}", file.string(), advice));
}

}  // namespace orchion::control::auth
