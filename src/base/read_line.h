#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace orchion::base {

// What a file of one line says, without that line's end. Errors as read_file()'s.
Result<std::string> read_line(const std::filesystem::path& path, std::size_t bytes_max = 4096);

}  // namespace orchion::base
