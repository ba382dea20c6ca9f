#pragma once

#include <string>
#include <vector>

namespace orchion::cli {

// The end of a sentence about `word`, which is unknown: ": did you mean `NAME`?", or `instead` where nothing that is
// known comes near.
std::string suggestion(const std::string& word, const std::vector<std::string>& known, const std::string& instead);

}  // namespace orchion::cli
