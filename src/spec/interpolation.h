#pragma once

// `$V ${V} ${V:-d} ${V-d} ${V:?e} ${V?e} ${V:+r} ${V+r}`, nested, and `$$`, as the Compose specification has
// them (https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md).

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "spec/problems.h"

namespace orchion::spec {

using Variables = std::map<std::string, std::string>;

// The value of a variable, nullopt where it isn't set.
using Lookup = std::function<std::optional<std::string>(const std::string&)>;

struct Interpolated {
  std::string text;
  std::vector<std::string> unset;  // variables without value or default, in order
};

// A default is looked at only where it is needed. kInvalidArgument for a broken expression or a required
// variable without value; the message lacks the place.
base::Result<Interpolated> interpolate(std::string_view text, const Lookup& lookup, std::size_t bytes_max = 1u << 20);

// Interpolates the values of trees in place, keys and extensions (`x-`) left alone. One for all files of a load: they
// share what their variables may grow to, and each unset variable is warned of once.
class TreeInterpolator {
 public:
  TreeInterpolator(Problems& problems, std::vector<std::string>& warnings) : problems_(problems), warnings_(warnings) {}

  void run(Node& node, const Lookup& lookup);

 private:
  void scalar(Node& node, const Lookup& lookup);

  Problems& problems_;
  std::vector<std::string>& warnings_;
  std::set<std::string> warned_;  // variables, each once
  std::size_t bytes_left_ = 4u << 20;
};

}  // namespace orchion::spec
