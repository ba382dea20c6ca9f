#pragma once

#include <string>

#include "base/error.h"

namespace orchion::core {

// What a search in logs may be given: a regular expression in RE2's syntax, of 4096 bytes at most. kInvalidArgument
// says what is wrong with it. Source of the syntax: https://github.com/google/re2/wiki/Syntax
base::Result<> check_pattern(const std::string& text);

}  // namespace orchion::core
