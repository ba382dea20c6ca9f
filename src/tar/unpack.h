#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tar/tree_root.h"

namespace orchion::tar {

struct UnpackOptions {
  // Numeric owners, setuid and setgid bits, devices and file capabilities are the archive's. Else everything belongs to
  // the caller, special bits are taken off and devices left out: what the archive says about them is not to be trusted.
  bool as_archived = true;
};

struct Unpacked {
  std::int64_t files = 0;  // and links; folders aren't counted
  std::int64_t bytes = 0;  // of the files
  std::int64_t devices_left_out = 0;
};

// Where an archive goes, said when its first entry is known.
struct Place {
  std::string folder;  // below the root; must exist
  // The archive's first entry is called so there, and what lies below it lies below this; empty: what lies below it
  // lies in the folder itself. Unset: all names are the archive's.
  std::optional<std::string> top;
};
using ChoosePlace = std::function<base::Result<Place>(const std::string& top, bool is_folder)>;

// Reads a tar, plain or packed by gzip or zstd, or nothing at all, from `in` to its end and puts it at its place below
// `root`. What is there is replaced, a folder only joins a folder. Names with ".." and absolute ones are
// kInvalidArgument, so is what a link would lead out of the root; so are hard links to what lies outside. Symbolic
// links are made as they are and never written through to the outside. What came before an error stays. Blocks.
base::Result<Unpacked> unpack(int in, const TreeRoot& root, const ChoosePlace& choose, const UnpackOptions& options);

}  // namespace orchion::tar
