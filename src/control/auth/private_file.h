#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace orchion::control::auth {

// What others may have read is no secret any more: kFailedPrecondition, with `advice` on what to do, where `file` is
// open to anybody but its owner.
base::Result<> check_private(const std::filesystem::path& file, const std::string& advice);

}  // namespace orchion::control::auth
