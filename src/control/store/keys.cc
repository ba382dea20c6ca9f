#include "control/store/keys.h"

#include <fmt/format.h>

namespace orchion::control::store {

std::string spec_key(std::string_view kind, std::string_view stack, std::string_view name) {
  return fmt::format("spec/{}/{}/{}", kind, stack, name);
}

std::string status_key(std::string_view kind, std::string_view stack, std::string_view name) {
  return fmt::format("status/{}/{}/{}", kind, stack, name);
}

std::optional<ObjectKey> parse_object_key(std::string_view key) {
  ObjectKey parsed;
  if (key.starts_with("spec/")) {
    parsed.object = key.substr(5);
  } else if (key.starts_with("status/")) {
    parsed.part = ObjectKey::Part::kStatus;
    parsed.object = key.substr(7);
  } else {
    return std::nullopt;
  }
  const auto kind_end = parsed.object.find('/');
  if (kind_end == std::string_view::npos) return std::nullopt;
  const auto stack_end = parsed.object.find('/', kind_end + 1);
  if (stack_end == std::string_view::npos) return std::nullopt;
  parsed.kind = parsed.object.substr(0, kind_end);
  parsed.stack = parsed.object.substr(kind_end + 1, stack_end - kind_end - 1);
  parsed.name = parsed.object.substr(stack_end + 1);
  if (parsed.kind.empty() || parsed.name.empty()) return std::nullopt;
  return parsed;
}

}  // namespace orchion::control::store
