#include "cli/copy_end.h"

#include <fmt/core.h>

namespace orchion::cli {

base::Result<CopyEnd> parse_copy_end(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos || text.starts_with('/') || text.starts_with('.')) {
    if (text.empty()) return base::fail(base::Code::kInvalidArgument, "an empty path is none: write . for this folder");
    return CopyEnd{std::nullopt, text};
  }
  CopyEnd end;
  ASSIGN_OR_RETURN(end.task, core::parse_address(text.substr(0, colon)));
  end.path = text.substr(colon + 1);
  if (end.path.empty())
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("`{}` names no path: write it like {}:/etc/hosts", text, text.substr(0, colon)));
  return end;
}

bool means_content(const std::string& path) {
  return path == "." || path.ends_with("/.");
}

NamedPath split_path(const std::string& path) {
  std::string_view rest = path;
  while (rest.size() > 1 && rest.ends_with('/')) rest.remove_suffix(1);
  const auto slash = rest.rfind('/');
  const auto name = slash == std::string_view::npos ? rest : rest.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return {std::string(rest), ""};
  if (slash == std::string_view::npos) return {".", std::string(name)};
  return {slash == 0 ? "/" : std::string(rest.substr(0, slash)), std::string(name)};
}

}  // namespace orchion::cli
