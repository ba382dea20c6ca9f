#pragma once

#include <span>
#include <string_view>

namespace orchion::base {

// For "did you mean …?": the word of `known` that is a slip or two away from `word`, the first of equally near ones;
// empty where none is that near. A slip is a letter too many, too few or wrong, or two neighbours swapped.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known);

}  // namespace orchion::base
