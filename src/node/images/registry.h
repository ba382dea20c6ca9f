#pragma once

// Registries, by way of skopeo, which knows their protocols, proxies and credentials (it looks those up in its own
// files; none ever stands in an argument). Blocks.

#include <filesystem>
#include <string>
#include <string_view>

#include "core/image_reference.h"

namespace orchion::node::images {

enum class Direction { kPull, kPush };

// Fetches one platform's image into `folder`: skopeo's "dir" layout, manifest.json and blobs named by their hex.
// That layout keeps the manifest as the registry has it; the OCI layout would convert Docker's and change the digest.
base::Result<> fetch_image(const core::ImageReference& reference, const std::filesystem::path& folder,
                           const std::string& architecture, const std::filesystem::path& temp);

// The other way. Digests are kept, so nothing is compressed on the way.
base::Result<> push_image(const std::filesystem::path& folder, const core::ImageReference& destination, bool plain_http,
                          const std::filesystem::path& temp);

// What skopeo's last words mean for the user. `talk` is its standard error.
base::Error explain_failure(Direction direction, const core::ImageReference& reference, std::string_view talk);

}  // namespace orchion::node::images
