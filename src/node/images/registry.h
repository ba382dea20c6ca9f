#pragma once

// Registries, by way of skopeo, which knows their protocols, proxies and mirrors. Blocks.

#include <filesystem>
#include <memory>
#include <string>

#include "core/image_reference.h"
#include "node/images/archive_import.h"
#include "node/images/fetch_attempts.h"
#include "node/images/pull_board.h"
#include "node/images/skopeo.h"

namespace orchion::node::images {

struct RegistryOptions {
  RegistryFiles files;
  FetchLimits limits;
};

// An image as its registry has it.
struct FetchedImage {
  std::string manifest;  // of one platform, its bytes as they came: their digest is the image's
  std::string pin;       // what the reference stands for: the digest of the index, where there is one
  ArchiveFiles files;    // the configuration and the layers, by digest; in `temp` of the fetch
};

// Fetches the image for Linux on `architecture` into `temp`, a folder on the store's file system. Layers that the store
// has are taken from there, and what is whole when a download breaks off isn't fetched again. `lease` holds them;
// `progress` is told of the layers.
base::Result<FetchedImage> fetch_image(const RegistryOptions& options, const ContentStore& store,
                                       ContentStore::Lease& lease, const core::ImageReference& reference,
                                       const std::string& architecture, const std::filesystem::path& temp,
                                       PullBoard::Entry& progress);

// The other way: `folder` in skopeo's "dir" layout. Digests are kept, so nothing is compressed on the way.
base::Result<> push_image(const RegistryOptions& options, const std::filesystem::path& folder,
                          const core::ImageReference& destination, bool plain_http, const std::filesystem::path& temp);

}  // namespace orchion::node::images
