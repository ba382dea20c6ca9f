#include "control/serving/comments.h"

#include "v1/comments.h"

namespace orchion::control::serving {

Comments::Comments() {
  for (std::string_view left = v1::kComments; !left.empty();) {
    const auto tab = left.find('\t');
    const auto end = left.find('\n', tab);
    by_name_.emplace(left.substr(0, tab), left.substr(tab + 1, end - tab - 1));
    left.remove_prefix(end + 1);
  }
}

std::string_view Comments::of(const std::string& full_name) const {
  const auto found = by_name_.find(full_name);
  return found == by_name_.end() ? std::string_view() : found->second;
}

Explanation explain(std::string_view comment) {
  const auto stop = comment.find(". ");
  Explanation out{comment.substr(0, stop), stop == comment.npos ? "" : comment.substr(stop + 2)};
  if (out.summary.ends_with('.')) out.summary.remove_suffix(1);
  return out;
}

}  // namespace orchion::control::serving
