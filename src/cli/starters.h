#pragma once

// The stacks that `orchion init` writes: examples/starters, which the binary carries.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::cli {

struct StarterFile {
  std::string_view path;  // "wordpress/compose.yaml"
  std::string_view text;
};

// All files of all starters, in the order of their paths. They live as long as the program.
std::span<const StarterFile> embedded_starter_files();

struct Starter {
  std::string name;
  std::string summary;               // the first line of its compose.yaml
  std::vector<StarterFile> files;    // paths begin in the starter's folder
  std::vector<std::string> secrets;  // files that compose.yaml reads secrets from, to be made anew
};

// Sorted by name.
std::vector<Starter> starters(std::span<const StarterFile> files);

// Writes the starter's files below `folder`, which is made where it isn't there, and fills its secrets with random
// text, readable by their owner only. Returns the paths, as they begin in `folder`. All or nothing: kAlreadyExists
// names the files that are in the way, and nothing that stands there is ever written over.
base::Result<std::vector<std::string>> write_starter(const Starter& starter, const std::string& folder);

}  // namespace orchion::cli
