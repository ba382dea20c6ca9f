#include "node/images/disk_error.h"

#include <cerrno>

#include <fmt/core.h>

namespace orchion::node::images {

std::unexpected<base::Error> fail_disk(int error_number, std::string_view action) {
  if (error_number == ENOSPC || error_number == EDQUOT)
    return base::fail(base::Code::kResourceExhausted,
                      "no space is left on the disk that holds the images: free some, for example by "
                      "`orchion image prune`");
  return base::fail_errno(error_number, action);
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t kShown = 200;
  std::string result = "\"";
  for (const char c : name.substr(0, kShown)) result += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return result + (name.size() > kShown ? "…\"" : "\"");
}

}  // namespace orchion::node::images
