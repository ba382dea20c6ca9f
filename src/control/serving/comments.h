#pragma once

// What the contract's files say in comments. Private to this folder.

#include <string>
#include <string_view>
#include <unordered_map>

namespace orchion::control::serving {

// An index over text that the binary holds anyway: made when it is needed, and thrown away.
class Comments {
 public:
  Comments();

  // The comment above and beside an rpc, a message, a field or an enum value, as one line; empty: there is none.
  std::string_view of(const std::string& full_name) const;

 private:
  std::unordered_map<std::string_view, std::string_view> by_name_;
};

struct Explanation {
  std::string_view summary;  // the first sentence, without its full stop
  std::string_view rest;     // may be empty
};

Explanation explain(std::string_view comment);

}  // namespace orchion::control::serving
