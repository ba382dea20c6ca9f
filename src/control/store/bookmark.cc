#include <charconv>

#include "control/store/store.h"

namespace orchion::control::store {

std::string Bookmark::text() const {
  return epoch + "." + std::to_string(revision);
}

base::Result<Bookmark> Bookmark::parse(std::string_view text) {
  const auto bad = [] {
    return base::fail(base::Code::kInvalidArgument,
                      "that is no bookmark of a watch; list again and use the one returned");
  };
  const auto dot = text.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == text.size()) return bad();
  Bookmark bookmark{std::string(text.substr(0, dot)), 0};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + dot + 1, end, bookmark.revision);
  if (error != std::errc() || rest != end) return bad();
  return bookmark;
}

}  // namespace orchion::control::store
