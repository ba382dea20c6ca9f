#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "node/images/content_store.h"

namespace orchion::node::images {

// One image on its way into the store: layers first, then the documents, then its name. Blocks; one thread. What
// was stored is held until the builder goes; an image that was never committed is collected then.
class ImageBuilder {
 public:
  // `pin`: as ImageRecord's; empty: the manifest's own digest.
  ImageBuilder(std::shared_ptr<ContentStore> store, ArchiveLimits limits, Origin origin = Origin::kByHand,
               std::string pin = "");
  ~ImageBuilder();
  ImageBuilder(const ImageBuilder&) = delete;
  ImageBuilder& operator=(const ImageBuilder&) = delete;

  struct LayerClaim {
    std::filesystem::path file;  // empty or missing where the store has the blob; moved into the store
    std::string digest;          // of the blob; empty: not claimed
    std::string diff_id;         // of the tar in it; empty: not claimed
    bool must_be_whole = false;  // no digest vouches for it: demand content and the closing zeros
  };
  // kDataLoss where a digest isn't what was claimed.
  base::Result<> add_layer(const LayerClaim& claim);

  // As the image came with them.
  base::Result<ImageRecord> commit(const std::string& reference, const std::string& manifest,
                                   const std::string& config);

  // The same with a manifest made here; `config` may be empty, then it is made too.
  base::Result<ImageRecord> commit_without_manifest(const std::string& reference, std::string config,
                                                    const std::string& architecture);

 private:
  base::Result<> hold_and_write(const std::string& content);
  base::Result<> reuse_layer(const LayerClaim& claim, std::int64_t bytes);
  base::Result<> unpack(const LayerClaim& claim);
  base::Result<> append(const std::string& digest, const std::string& diff_id, std::int64_t bytes,
                        Compression compression);

  std::shared_ptr<ContentStore> store_;
  ArchiveLimits limits_;
  const Origin origin_;
  const std::string pin_;
  ArchiveUsage usage_;
  std::unique_ptr<ContentStore::Lease> lease_;
  std::vector<StoredLayer> layers_;
  std::vector<Descriptor> descriptors_;
  bool committed_ = false;
};

}  // namespace orchion::node::images
