#include "node/images/image_builder.h"

#include <cerrno>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/images/digest.h"
#include "node/images/disk_error.h"
#include "node/images/unpack.h"

namespace orchion::node::images {

namespace {

std::unexpected<base::Error> mismatch(std::string_view what, std::string_view claimed, std::string_view real) {
  return base::fail(
      base::Code::kDataLoss,
      fmt::format("the image is damaged: {} should be {} and is {}; make or fetch it again", what, claimed, real));
}

}  // namespace

ImageBuilder::ImageBuilder(std::shared_ptr<ContentStore> store, ArchiveLimits limits, Origin origin, std::string pin)
    : store_(std::move(store)),
      limits_(limits),
      origin_(origin),
      pin_(std::move(pin)),
      lease_(std::make_unique<ContentStore::Lease>(store_)) {}

ImageBuilder::~ImageBuilder() {
  lease_.reset();
  if (!committed_) store_->collect();
}

base::Result<> ImageBuilder::add_layer(const LayerClaim& claim) {
  if (!claim.digest.empty()) lease_->hold(claim.digest);
  if (!claim.diff_id.empty()) {
    lease_->hold(claim.diff_id);
    if (const auto bytes = store_->layer_bytes(claim.diff_id)) return reuse_layer(claim, *bytes);
  }
  return unpack(claim);
}

// Unpacked already: only the blob may be new, in another compression say.
base::Result<> ImageBuilder::reuse_layer(const LayerClaim& claim, std::int64_t bytes) {
  if (!claim.digest.empty() && store_->has_blob(claim.digest))
    return append(claim.digest, claim.diff_id, bytes, Compression::kNone);
  ASSIGN_OR_RETURN(const auto digest, digest_of_file(claim.file));
  if (!claim.digest.empty() && digest != claim.digest) return mismatch("a layer", claim.digest, digest);
  ArchiveUsage usage;
  ASSIGN_OR_RETURN(const auto reader, TarReader::open(claim.file, TarReader::Purpose::kList, limits_, usage));
  lease_->hold(digest);
  RETURN_IF_ERROR(store_->adopt_blob(claim.file, digest));
  return append(digest, claim.diff_id, bytes, reader->compression());
}

base::Result<> ImageBuilder::unpack(const LayerClaim& claim) {
  const bool have_blob = !claim.digest.empty() && store_->has_blob(claim.digest);
  const auto file = have_blob ? store_->blob_path(claim.digest) : claim.file;
  ASSIGN_OR_RETURN(const auto temp, store_->make_temp());
  const auto folder = temp.path() / "layer";
  if (::mkdir(folder.c_str(), 0755) != 0 || ::chmod(folder.c_str(), 0755) != 0)
    return fail_disk(errno, fmt::format("cannot create {}", folder.string()));
  ASSIGN_OR_RETURN(const auto layer, unpack_layer(file, folder, limits_, usage_));
  if (!claim.digest.empty() && layer.packed_digest != claim.digest)
    return mismatch("a layer", claim.digest, layer.packed_digest);
  if (!claim.diff_id.empty() && layer.diff_id != claim.diff_id)
    return mismatch("an unpacked layer", claim.diff_id, layer.diff_id);
  if (claim.must_be_whole && (layer.entries == 0 || !layer.has_end_mark))
    return base::fail(base::Code::kInvalidArgument,
                      layer.entries == 0 ? "the archive is empty: nothing could run from it"
                                         : "the archive is cut off: it has no closing zeros; make or fetch it again");
  lease_->hold(layer.packed_digest);
  lease_->hold(layer.diff_id);
  RETURN_IF_ERROR(store_->adopt_layer(folder, layer.diff_id, layer.bytes));
  if (!have_blob) RETURN_IF_ERROR(store_->adopt_blob(file, layer.packed_digest));
  return append(layer.packed_digest, layer.diff_id, layer.bytes, layer.compression);
}

base::Result<> ImageBuilder::append(const std::string& digest, const std::string& diff_id, std::int64_t bytes,
                                    Compression compression) {
  struct stat info{};
  if (::stat(store_->blob_path(digest).c_str(), &info) != 0)
    return fail_disk(errno, fmt::format("cannot find layer {}", digest));
  layers_.push_back({digest, diff_id, bytes});
  descriptors_.push_back(layer_descriptor(digest, info.st_size, compression));
  return {};
}

base::Result<> ImageBuilder::hold_and_write(const std::string& content) {
  const auto digest = digest_of(content);
  lease_->hold(digest);
  return store_->write_blob(content, digest);
}

base::Result<ImageRecord> ImageBuilder::commit(const std::string& reference, const std::string& manifest,
                                               const std::string& config) {
  ASSIGN_OR_RETURN(auto document, parse_config(config));
  RETURN_IF_ERROR(hold_and_write(manifest));
  RETURN_IF_ERROR(hold_and_write(config));
  StoredImage image;
  image.origin = origin_;
  image.used_at = std::chrono::system_clock::now();
  image.record.reference = reference;
  image.record.digest = digest_of(manifest);
  image.record.pin = pin_.empty() ? image.record.digest : pin_;
  image.record.architecture = document.architecture;
  image.record.created_at = document.created_at.value_or(std::chrono::system_clock::now());
  image.record.config = std::move(document.config);
  image.config_digest = digest_of(config);
  image.layers = layers_;
  for (const auto& layer : layers_) {
    image.record.layers.push_back(store_->layer_path(layer.diff_id));
    image.record.size_bytes += layer.bytes;
  }
  RETURN_IF_ERROR(store_->commit(image));
  committed_ = true;
  return image.record;
}

base::Result<ImageRecord> ImageBuilder::commit_without_manifest(const std::string& reference, std::string config,
                                                                const std::string& architecture) {
  if (config.empty()) {
    std::vector<std::string> diff_ids;
    for (const auto& layer : layers_) diff_ids.push_back(layer.diff_id);
    config = make_config(architecture, diff_ids);
  }
  const auto manifest =
      make_manifest(config_descriptor(digest_of(config), static_cast<std::int64_t>(config.size())), descriptors_);
  return commit(reference, manifest, config);
}

}  // namespace orchion::node::images
