#pragma once

#include <string_view>

#include "base/error.h"

namespace orchion::base {

// Writes all of it; blocks. An error is `action`'s: "cannot write the archive: No space left on device".
Result<> write_all(int fd, std::string_view bytes, std::string_view action);

}  // namespace orchion::base
