#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/json/fwd.hpp>

#include "base/error.h"

namespace orchion::cli {

// A line with holes: "{meta.name} {status.state}". A hole names a field by its path in the JSON that REST prints; on a
// list, a number takes one element and a name takes that field of each, with commas between. `{{` and `}}` are braces,
// `\n` and `\t` what they are elsewhere.
class ItemTemplate {
 public:
  ItemTemplate() = default;

  // kInvalidArgument says what is wrong with it.
  static base::Result<ItemTemplate> parse(std::string_view text);

  // Without a line's end. A field that is missing is empty; an object is printed as JSON.
  std::string render(const boost::json::value& item) const;

  bool empty() const { return parts_.empty(); }

 private:
  struct Field {
    std::vector<std::string> path;
  };
  using Part = std::variant<std::string, Field>;
  std::vector<Part> parts_;
};

// The paths of everything in `item` that isn't an object, in its order, each once.
std::vector<std::string> field_paths(const boost::json::value& item);

}  // namespace orchion::cli
