#include "node/shim/bundle.h"

#include "node/shim/record.h"

namespace orchion::node::shim {

bool is_whole_settings(std::string_view record) {
  if (!record.ends_with('\n') || record.find('\0') != std::string_view::npos) return false;
  const auto id = find_text(record, setting::kId);
  if (id.empty() || id.find('/') != std::string_view::npos || id.starts_with('.')) return false;
  for (const auto* name : {setting::kRuntimeRoot, setting::kLogFolder, setting::kCgroup, setting::kShimCgroup}) {
    const auto path = find_text(record, name);
    if (path.size() < 2 || path[0] != '/') return false;
  }
  return true;
}

}  // namespace orchion::node::shim
