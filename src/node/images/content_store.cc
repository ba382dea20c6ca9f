#include "node/images/content_store.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "core/image_reference.h"
#include "node/images/digest.h"
#include "node/images/disk_error.h"
#include "node/images/reference_record.h"

namespace orchion::node::images {

namespace fs = std::filesystem;

namespace {

base::WallTime changed_at(const fs::path& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::chrono::system_clock::now();
  return base::WallTime(std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec));
}

bool is_folder(const fs::path& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// A document of the store, if it is what its name says.
base::Result<std::string> read_checked(const fs::path& path, const std::string& digest) {
  ASSIGN_OR_RETURN(auto text, base::read_file(path, kDocumentBytesMax));
  if (digest_of(text) != digest) return base::fail(base::Code::kDataLoss, fmt::format("{} is damaged", path.string()));
  return text;
}

// Everything written to the file system so far: cheaper than an fsync for each of a layer's files.
base::Result<> sync_file_system(const fs::path& folder) {
  const base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::syncfs(fd.get()) != 0) return fail_disk(errno, fmt::format("cannot sync {}", folder.string()));
  return {};
}

std::set<std::string> digests_of(const StoredImage& image) {
  std::set<std::string> result{image.record.digest, image.config_digest};
  for (const auto& layer : image.layers) result.insert({layer.digest, layer.diff_id});
  return result;
}

// The name under which an image stays when its reference goes to another.
std::string name_by_digest(const StoredImage& image) {
  auto reference = core::parse_image_reference(image.record.reference);
  if (!reference) return image.record.reference;
  reference->digest = image.record.digest;
  return reference->text();
}

}  // namespace

base::Result<std::shared_ptr<ContentStore>> ContentStore::open(fs::path folder) {
  std::shared_ptr<ContentStore> store(new ContentStore(std::move(folder)));
  RETURN_IF_ERROR(store->make_all_folders());
  store->load();
  store->collect();
  return store;
}

base::Result<> ContentStore::make_all_folders() {
  // Leftovers first: they may be what fills the disk.
  RETURN_IF_ERROR(base::remove_tree(folder_ / "temp"));
  for (const auto* name : {"blobs/sha256", "layers", "references", "temp"})
    RETURN_IF_ERROR(base::make_folders(folder_ / name));
  return {};
}

void ContentStore::load() {
  std::error_code error;
  for (fs::directory_iterator it(folder_ / "references", error), end; !error && it != end; it.increment(error)) {
    const auto read = [&]() -> base::Result<StoredImage> {
      ASSIGN_OR_RETURN(const auto text, base::read_file(it->path(), kDocumentBytesMax));
      ASSIGN_OR_RETURN(auto image, parse_reference_record(text));
      if (it->path() != reference_path(image.record.reference))
        return base::fail(base::Code::kDataLoss, "it is unfinished");
      RETURN_IF_ERROR(read_checked(blob_path(image.record.digest), image.record.digest));
      ASSIGN_OR_RETURN(const auto config, read_checked(blob_path(image.config_digest), image.config_digest));
      ASSIGN_OR_RETURN(auto document, parse_config(config));
      image.used_at = changed_at(it->path());
      image.record.config = std::move(document.config);
      image.record.architecture = document.architecture;
      for (const auto& layer : image.layers) {
        if (!is_folder(layer_path(layer.diff_id)) || !has_blob(layer.digest))
          return base::fail(base::Code::kDataLoss, "a layer is missing");
        image.record.layers.push_back(layer_path(layer.diff_id));
        image.record.size_bytes += layer.bytes;
      }
      return image;
    };
    if (auto image = read()) {
      for (const auto& layer : image->layers) layer_bytes_[layer.diff_id] = layer.bytes;
      images_[image->record.reference] = *std::move(image);
    } else {
      base::log::warn("the image record {} is dropped: {}", it->path().string(), image.error().message);
      ::unlink(it->path().c_str());
    }
  }
}

ContentStore::TempFolder::~TempFolder() {
  if (path_.empty()) return;
  if (auto removed = base::remove_tree(path_); !removed) base::log::warn("{}", removed.error().message);
}

base::Result<ContentStore::TempFolder> ContentStore::make_temp() {
  std::string path = (folder_ / "temp" / "XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return fail_disk(errno, fmt::format("cannot create a folder in {}", path));
  return TempFolder(path);
}

ContentStore::Lease::~Lease() {
  const std::lock_guard lock(store_->mutex_);
  for (const auto& digest : held_) store_->held_.erase(store_->held_.find(digest));
}

void ContentStore::Lease::hold(const std::string& digest) {
  held_.push_back(digest);
  const std::lock_guard lock(store_->mutex_);
  store_->held_.insert(digest);
}

fs::path ContentStore::blob_path(const std::string& digest) const {
  return folder_ / "blobs" / "sha256" / digest_hex(digest);
}

fs::path ContentStore::layer_path(const std::string& diff_id) const {
  return folder_ / "layers" / digest_hex(diff_id);
}

fs::path ContentStore::reference_path(const std::string& reference) const {
  return folder_ / "references" / (digest_hex(digest_of(reference)) + ".json");
}

bool ContentStore::has_blob(const std::string& digest) const {
  const std::lock_guard lock(mutex_);
  return ::access(blob_path(digest).c_str(), F_OK) == 0;
}

std::optional<std::int64_t> ContentStore::layer_bytes(const std::string& diff_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = layer_bytes_.find(diff_id);
  if (found == layer_bytes_.end()) return std::nullopt;
  return found->second;
}

base::Result<> ContentStore::adopt_blob(const fs::path& file, const std::string& digest) {
  ::chmod(file.c_str(), 0600);
  if (::rename(file.c_str(), blob_path(digest).c_str()) != 0)
    return fail_disk(errno, fmt::format("cannot store {}", digest));
  return {};
}

base::Result<> ContentStore::adopt_layer(const fs::path& folder, const std::string& diff_id, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (layer_bytes_.contains(diff_id)) return {};
  if (::rename(folder.c_str(), layer_path(diff_id).c_str()) != 0)
    return fail_disk(errno, fmt::format("cannot store layer {}", diff_id));
  layer_bytes_[diff_id] = bytes;
  return {};
}

base::Result<> ContentStore::write_blob(const std::string& content, const std::string& digest) {
  auto written = base::write_file(blob_path(digest), content);
  if (!written && written.error().code == base::Code::kResourceExhausted) return fail_disk(ENOSPC, "");
  return written;
}

base::Result<> ContentStore::write_reference(const StoredImage& image) {
  auto written = base::write_file_durably(reference_path(image.record.reference), write_reference_record(image));
  if (!written && written.error().code == base::Code::kResourceExhausted) return fail_disk(ENOSPC, "");
  return written;
}

base::Result<> ContentStore::commit(StoredImage image) {
  const std::lock_guard one_at_a_time(writing_);
  RETURN_IF_ERROR(sync_file_system(folder_));
  auto before = find(image.record.reference);
  const bool replaces = before.has_value() && before->record.reference == image.record.reference &&
                        before->record.digest != image.record.digest;
  if (replaces) {
    before->record.reference = name_by_digest(*before);
    RETURN_IF_ERROR(write_reference(*before));
  }
  RETURN_IF_ERROR(write_reference(image));
  const std::lock_guard lock(mutex_);
  if (replaces) images_[before->record.reference] = *std::move(before);
  images_[image.record.reference] = std::move(image);
  return {};
}

std::optional<StoredImage> ContentStore::find(const std::string& reference) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = images_.find(reference); found != images_.end()) return found->second;
  const auto at = reference.find('@');
  if (at == std::string::npos) return std::nullopt;
  const auto digest = reference.substr(at + 1);
  for (const auto& [name, image] : images_) {
    if (is_pinned_to(image.record, digest)) return image;
  }
  return std::nullopt;
}

std::vector<ImageRecord> ContentStore::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<ImageRecord> result;
  for (const auto& [name, image] : images_) result.push_back(image.record);
  return result;
}

std::vector<StoredImage> ContentStore::list_stored() const {
  const std::lock_guard lock(mutex_);
  std::vector<StoredImage> result;
  for (const auto& [name, image] : images_) result.push_back(image);
  return result;
}

void ContentStore::touch(const std::vector<std::string>& references) {
  const std::lock_guard lock(mutex_);
  for (const auto& reference : references) {
    const auto found = images_.find(reference);
    if (found == images_.end()) continue;
    found->second.used_at = std::chrono::system_clock::now();
    (void)::utimensat(AT_FDCWD, reference_path(reference).c_str(), nullptr, 0);
  }
}

base::Result<std::int64_t> ContentStore::remove(const std::vector<std::string>& references) {
  {
    const std::lock_guard one_at_a_time(writing_);
    for (const auto& reference : references) {
      if (::unlink(reference_path(reference).c_str()) != 0 && errno != ENOENT)
        return fail_disk(errno, fmt::format("cannot remove the image {}", reference));
      const std::lock_guard lock(mutex_);
      images_.erase(reference);
    }
    // What the references named goes next: first they must be gone for good.
    if (!references.empty()) RETURN_IF_ERROR(sync_file_system(folder_));
  }
  return collect();
}

std::int64_t ContentStore::collect() {
  auto trash = make_temp();
  if (!trash) {
    base::log::warn("unused images are kept: {}", trash.error().message);
    return 0;
  }
  const std::lock_guard lock(mutex_);
  std::set<std::string> kept(held_.begin(), held_.end());
  for (const auto& [name, image] : images_) kept.merge(digests_of(image));
  return move_unheld(folder_ / "blobs" / "sha256", kept, trash->path()) +
         move_unheld(folder_ / "layers", kept, trash->path());
}

// Renames under the lock; the slow removal is the trash folder's, after the lock is gone.
std::int64_t ContentStore::move_unheld(const fs::path& from, const std::set<std::string>& kept, const fs::path& trash) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(from, error), end; !error && it != end; it.increment(error)) {
    if (!kept.contains("sha256:" + it->path().filename().string())) names.push_back(it->path().filename().string());
  }
  std::int64_t freed = 0;
  for (const auto& name : names) {
    struct stat info{};
    const bool file = ::lstat((from / name).c_str(), &info) == 0 && S_ISREG(info.st_mode);
    if (::rename((from / name).c_str(), (trash / (name + (file ? ".blob" : ".layer"))).c_str()) != 0) continue;
    if (file) {
      freed += info.st_size;
    } else if (const auto known = layer_bytes_.find("sha256:" + name); known != layer_bytes_.end()) {
      freed += known->second;
      layer_bytes_.erase(known);
    }
  }
  return freed;
}

}  // namespace orchion::node::images
