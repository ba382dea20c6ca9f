#pragma once

#include <string_view>
#include <vector>

namespace orchion::base {

// The pieces between separators, empty ones too; of an empty text one. The views point into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace orchion::base
