#pragma once

// What is on the disk. Below one folder:
//   blobs/sha256/HEX    manifests, configurations and layers as they travel
//   layers/HEX          layers unpacked, named by their diff id
//   references/HEX.json what is called what; HEX is the hash of the reference
//   temp/               everything unfinished
// Content is complete and on the disk before a reference names it, and goes only after the last has gone. What no
// reference names is removed at the start.

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/images/documents.h"
#include "node/images/images.h"

namespace orchion::node::images {

struct StoredLayer {
  std::string digest;      // of the blob
  std::string diff_id;     // of the tar in it
  std::int64_t bytes = 0;  // unpacked
};

// Whether a registry can give an image back.
enum class Origin { kByHand, kRegistry };

struct StoredImage {
  ImageRecord record;
  Origin origin = Origin::kByHand;
  base::WallTime used_at;  // last by a task, or when it came
  std::string config_digest;
  std::vector<StoredLayer> layers;
};

// Thread-safe; all calls may block, find() and list() only for microseconds. One process at a time per folder.
class ContentStore : public std::enable_shared_from_this<ContentStore> {
 public:
  static base::Result<std::shared_ptr<ContentStore>> open(std::filesystem::path folder);

  // A folder that goes with its owner, however that ends.
  class TempFolder {
   public:
    explicit TempFolder(std::filesystem::path path) : path_(std::move(path)) {}
    TempFolder(TempFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    TempFolder& operator=(TempFolder&&) = delete;
    ~TempFolder();
    const std::filesystem::path& path() const { return path_; }

   private:
    std::filesystem::path path_;
  };
  base::Result<TempFolder> make_temp();

  // While it lives what it holds isn't collected, named by a reference or not.
  class Lease {
   public:
    explicit Lease(std::shared_ptr<ContentStore> store) : store_(std::move(store)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();
    void hold(const std::string& digest);

   private:
    std::shared_ptr<ContentStore> store_;
    std::vector<std::string> held_;
  };

  std::filesystem::path blob_path(const std::string& digest) const;
  std::filesystem::path layer_path(const std::string& diff_id) const;
  bool has_blob(const std::string& digest) const;

  // The unpacked layer's size, if it is there.
  std::optional<std::int64_t> layer_bytes(const std::string& diff_id) const;

  // Take a finished file or folder over from a TempFolder; where it is there already the newcomer stays behind.
  base::Result<> adopt_blob(const std::filesystem::path& file, const std::string& digest);
  base::Result<> adopt_layer(const std::filesystem::path& folder, const std::string& diff_id, std::int64_t bytes);
  base::Result<> write_blob(const std::string& content, const std::string& digest);

  // Puts all that was adopted on the disk, then the reference. What the reference named before stays, under its
  // digest, until prune: containers may run from it.
  base::Result<> commit(StoredImage image);

  // By reference, or by digest where the reference has one.
  std::optional<StoredImage> find(const std::string& reference) const;
  std::vector<ImageRecord> list() const;
  std::vector<StoredImage> list_stored() const;

  // These are used now. Kept as their records' times of change: a few microseconds each, and no harm where it fails.
  void touch(const std::vector<std::string>& references);

  // Forgets these references and collects. Returns the bytes freed.
  base::Result<std::int64_t> remove(const std::vector<std::string>& references);

  // Removes what neither a reference nor a lease holds. Returns the bytes freed.
  std::int64_t collect();

 private:
  explicit ContentStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  base::Result<> make_all_folders();
  void load();
  std::filesystem::path reference_path(const std::string& reference) const;
  base::Result<> write_reference(const StoredImage& image);
  std::int64_t move_unheld(const std::filesystem::path& from, const std::set<std::string>& kept,
                           const std::filesystem::path& trash);

  const std::filesystem::path folder_;
  std::mutex writing_;                         // one commit or removal at a time; taken before `mutex_`
  mutable std::mutex mutex_;                   // guards all below
  std::map<std::string, StoredImage> images_;  // by reference
  std::map<std::string, std::int64_t> layer_bytes_;
  std::multiset<std::string> held_;
};

}  // namespace orchion::node::images
