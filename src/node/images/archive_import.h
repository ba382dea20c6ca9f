#pragma once

// An archive in a file → an image in the store.

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "node/images/content_store.h"

namespace orchion::node::images {

struct ImportOptions {
  std::string architecture;  // which of an index's images; what a root file system is for
  ArchiveLimits limits;
  Origin origin = Origin::kByHand;  // an archive made from another node's image says itself, and its pin
  std::string pin = {};             // as ImageRecord's; empty: the manifest's own digest
};

// The files of one image before it is in the store, by the names by which its documents call them.
using ArchiveFiles = std::map<std::string, std::filesystem::path>;

// Imports what `archive` holds: a root file system tar, a docker-archive or an OCI layout tar. `reference` may be
// empty where the archive names itself. Blocks. After an error nothing of it is left in the store.
base::Result<ImageRecord> import_archive(std::shared_ptr<ContentStore> store, const std::filesystem::path& archive,
                                         const std::string& reference, const ImportOptions& options);

// An image whose manifest is known: `files` has its configuration and layers by digest.
base::Result<ImageRecord> import_manifest(std::shared_ptr<ContentStore> store, const std::string& manifest,
                                          const ArchiveFiles& files, const std::string& reference,
                                          const ImportOptions& options);

}  // namespace orchion::node::images
