#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::cli {

// The keys that, typed one after the other, leave a container without ending it. Pure.
class DetachKeys {
 public:
  // "ctrl-p,ctrl-q": letters, or ctrl- with a letter or one of @ [ \\ ] ^ _; empty: none.
  static base::Result<DetachKeys> parse(std::string_view text);

  // None.
  DetachKeys() = default;

  // What of the typed `bytes` is meant for the container: a beginning of the keys is held back until it is none. True
  // in `left` once they were all typed; what follows them is dropped.
  std::string take(std::string_view bytes, bool& left);

 private:
  std::string keys_;
  std::size_t typed_ = 0;  // of them, so far
};

}  // namespace orchion::cli
