#pragma once

// The small files that a container gets from memory alone: what is secret is on no disk.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "node/runtimes/container_options.h"

namespace orchion::node::runtimes {

struct FileOwner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

// Each by its number in `folder`, on a tmpfs. The folder is closed to all but root; the files are as the user asked,
// `owner`'s where nothing is said. Blocks.
base::Result<> write_memory_files(const std::filesystem::path& folder, const std::vector<FileContent>& files,
                                  FileOwner owner);

// With the tmpfs, and the folder above where it was the last. No error where there are none. Blocks.
base::Result<> remove_memory_files(const std::filesystem::path& folder);

}  // namespace orchion::node::runtimes
