#pragma once

// How objects are laid out in the store: "spec/KIND/STACK/NAME" and "status/KIND/STACK/NAME".

#include <optional>
#include <string>
#include <string_view>

#include "control/store/view.h"

namespace orchion::control::store {

std::string spec_key(std::string_view kind, std::string_view stack, std::string_view name);
std::string status_key(std::string_view kind, std::string_view stack, std::string_view name);

struct ObjectKey {
  enum class Part { kSpec, kStatus };

  Part part = Part::kSpec;
  std::string_view object;  // "KIND/STACK/NAME", the same for both parts
  std::string_view kind;
  std::string_view stack;
  std::string_view name;  // may hold slashes: an image's is its reference

  ObjectName object_name() const { return {std::string(stack), std::string(name)}; }
};

// Views into `key`. nullopt where it is no object's key.
std::optional<ObjectKey> parse_object_key(std::string_view key);

}  // namespace orchion::control::store
