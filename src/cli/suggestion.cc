#include "cli/suggestion.h"

#include <string_view>

#include <fmt/core.h>

#include "base/nearest_word.h"

namespace orchion::cli {

std::string suggestion(const std::string& word, const std::vector<std::string>& known, const std::string& instead) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const auto meant = base::nearest_word(word, views);
  return meant.empty() ? instead : fmt::format(": did you mean `{}`?", meant);
}

}  // namespace orchion::cli
