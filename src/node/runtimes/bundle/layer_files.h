#pragma once

// Files of an image without mounting it.

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace orchion::node::runtimes::bundle {

// The content of `path` as a container over these layers (lowest first) would see it: upper layers hide lower ones,
// whiteouts and opaque folders count, symbolic links are followed inside the layers and never out of them.
// kNotFound where there is no such file or it isn't a regular one; kResourceExhausted above `bytes_max`. Blocks.
base::Result<std::string> read_layer_file(const std::vector<std::filesystem::path>& layers,
                                          const std::filesystem::path& path, std::size_t bytes_max = 4u << 20);

// The same below one folder, where symbolic links lead no further than that folder: a running container's root.
base::Result<std::string> read_file_below(const std::filesystem::path& root, const std::filesystem::path& path,
                                          std::size_t bytes_max = 4u << 20);

}  // namespace orchion::node::runtimes::bundle
