#pragma once

// How the tables of keys.h hang together, from the file down.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "spec/keys.h"

namespace orchion::spec {

// How the maps of one table hang below a key of another.
enum class Below {
  kItself,  // the value
  kValues,  // each value of a map whose keys are names
  kItems,   // each item of a list
};

struct KeyChild {
  const KeyTable& parent;
  std::string_view key;
  const KeyTable& table;
  Below below;
};

std::span<const KeyChild> key_children();

// One key and where it was found.
struct FoundKey {
  std::string path;  // "services.healthcheck.interval"
  const KeyTable* table = nullptr;
  const Key* key = nullptr;
  const KeyTable* below = nullptr;  // the keys it has itself; nullptr: none
};

// The key that a path names: "services.healthcheck.interval", with or without the name that a map's values have
// ("services.*.healthcheck"), and with or without `services` before a service's key. kNotFound says the nearest.
base::Result<FoundKey> find_key(std::string_view path);

}  // namespace orchion::spec
