#pragma once

// What stands before and behind `orchion cp`. Pure.

#include <optional>
#include <string>

#include "core/naming.h"

namespace orchion::cli {

struct CopyEnd {
  std::optional<core::Address> task;  // not set: on this machine
  std::string path;                   // "-" on this machine: standard input or output
};

// "shop/web:/etc/hosts", or a path on this machine; one that holds a colon begins with "/" or "." to be told apart.
// kInvalidArgument where what stands before the colon is no task, or nothing behind it.
base::Result<CopyEnd> parse_copy_end(const std::string& text);

// "dir/.": what is in the folder, instead of the folder.
bool means_content(const std::string& path);

// "a/b/" → "b" of "a"; "b" of ".".
struct NamedPath {
  std::string folder;
  std::string name;  // empty: the path is a root, or ends with "." or ".."
};
NamedPath split_path(const std::string& path);

}  // namespace orchion::cli
