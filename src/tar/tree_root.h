#pragma once

// Paths that stay inside a folder: the kernel resolves them, so that no race or link leads out.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"

namespace orchion::tar {

// A folder that paths begin from.
class TreeRoot {
 public:
  enum class Links {
    kInside,   // links are followed as if the folder were "/": "/etc" and "../.." lead to places in it
    kRefused,  // a path that a link leads out of the folder fails with EXDEV
  };
  TreeRoot(base::UniqueFd folder, Links links) : folder_(std::move(folder)), links_(links) {}

  // openat2(2) with `flags`; the error is in errno. Links of the kernel's own (/proc/PID/root) are never followed.
  base::UniqueFd open(const std::string& path, std::uint64_t flags) const;

 private:
  base::UniqueFd folder_;
  Links links_;
};

// "/a//b/./c/" → "a/b/c"; ".." takes the name before it away, and at the beginning nothing.
std::string clean(std::string_view path);

struct SplitPath {
  std::string parent;
  std::string name;
};
// At the last slash of a clean path.
SplitPath split(const std::string& path);

// A name that somebody else chose, fit for a message: control bytes replaced, quoted, cut.
std::string in_quotes(std::string_view name);

// What the kernel said about `name`, in a sentence for a person.
std::unexpected<base::Error> fail_at(int error_number, std::string_view action, std::string_view name);

}  // namespace orchion::tar
