#pragma once

// What each key of keys.h means, for people: in the reference, in editors, and for `orchion explain`.

#include <span>
#include <string_view>

#include "spec/keys.h"

namespace orchion::spec {

struct Meaning {
  std::string_view table;  // KeyTable::where
  std::string_view key;
  std::string_view sentence;       // without a full stop
  std::string_view fallback = {};  // what holds where the key is left out; empty: nothing
  std::string_view example = {};   // a value in YAML's flow style; of each key that is supported
};

// nullptr where there is none; a test sees to it that every key has one. Linear.
const Meaning* meaning_of(const KeyTable& table, std::string_view key);

std::span<const Meaning> all_meanings();

}  // namespace orchion::spec
