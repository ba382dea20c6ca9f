#pragma once

#include <string_view>

namespace orchion::spec {

// True where it is well-formed UTF-8 without NUL: what the API's text fields can carry.
bool is_clean_text(std::string_view text);

}  // namespace orchion::spec
