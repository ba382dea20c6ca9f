#pragma once

#include <optional>
#include <string>

#include "base/file.h"

namespace orchion::tar {

struct PackOptions {
  bool owned_by_root = false;  // whoever owns the files; else their own numbers
  std::int64_t bytes_max = 0;  // of the archive; 0: no limit
};

struct Packed {
  std::int64_t files = 0;  // and links; folders aren't counted
  std::int64_t bytes = 0;  // of the files
};

// Writes the file or folder that `node` is, opened with O_PATH and, for a link itself, O_NOFOLLOW, as a tar (pax) to
// `out`; it is called `top` in it, everything below a folder "TOP/…". Sockets are left out, and so is what kernel file
// systems (/proc, /sys) hold in a folder above them. Files that go meanwhile are left out, those that shrink are filled
// with zeros. Blocks.
base::Result<Packed> pack(const base::UniqueFd& node, const std::string& top, const PackOptions& options, int out);

}  // namespace orchion::tar
