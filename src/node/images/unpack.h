#pragma once

#include <filesystem>

#include "node/images/tar_reader.h"

namespace orchion::node::images {

struct UnpackedLayer {
  std::string packed_digest;  // of the blob
  std::string diff_id;        // of the tar in it
  Compression compression = Compression::kNone;
  std::int64_t bytes = 0;  // of all files
  std::int64_t entries = 0;
  bool has_end_mark = false;
};

// Unpacks a layer's blob into `folder`, which exists and is empty. Blocks. After an error the folder is to be
// thrown away; so it is where a digest isn't the expected one, which is for the caller to see.
base::Result<UnpackedLayer> unpack_layer(const std::filesystem::path& blob, const std::filesystem::path& folder,
                                         const ArchiveLimits& limits, ArchiveUsage& usage);

}  // namespace orchion::node::images
