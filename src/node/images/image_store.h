#pragma once

#include <functional>
#include <memory>
#include <set>

#include "base/worker_pool.h"
#include "node/images/collection_plan.h"
#include "node/images/images.h"
#include "node/images/registry.h"
#include "node/images/tar_reader.h"

namespace orchion::node::images {

struct ImageStoreOptions {
  std::filesystem::path folder;                             // this store's alone; made where it is missing
  std::string architecture;                                 // of this machine, as images name it: "amd64"
  ArchiveLimits limits;                                     // of one image, all its layers together
  std::int64_t archive_bytes_max = std::int64_t{64} << 30;  // of a file given to import()
  RegistryOptions registry;
  std::function<base::Result<DiskUse>(const std::filesystem::path&)> disk_use = read_disk_use;
};

// The images on this machine's disk, and the way to registries. Belongs to one executor; what blocks runs on
// `workers`, which must outlive the store and be destroyed before the executor's context. An import that is
// cancelled leaves nothing; a pull that nobody waits for any more runs to its end.
class ImageStore final : public Images {
 public:
  // Blocks while it removes what an earlier process left unfinished: call it before the loop runs.
  static base::Result<std::unique_ptr<ImageStore>> open(base::Executor executor, base::WorkerPool& workers,
                                                        ImageStoreOptions options);
  ~ImageStore() override;

  base::Co<ImageRecord> ensure(std::string reference) override;
  base::Co<std::optional<ImageRecord>> find(std::string reference) override;
  base::Co<ImageRecord> pull(std::string reference) override;
  base::Co<> push(std::string reference, std::string destination, bool plain_http) override;
  base::Co<ImageRecord> import(std::string name, std::shared_ptr<ByteSource> archive) override;
  base::Co<std::shared_ptr<ByteSource>> export_image(std::string reference) override;
  base::Co<std::shared_ptr<ByteSource>> save(std::string reference) override;
  base::Co<ImageRecord> tag(std::string reference, std::string name) override;
  base::Co<std::vector<ImageRecord>> list() override;
  base::Co<> remove(std::string reference) override;
  base::Co<Pruned> prune() override;
  void set_used(std::vector<std::string> references) override;
  PullBoard& pull_board() override;

  // Removes what no task has used for too long and, where the disk is too full, the least recently used until it isn't.
  // Only what a registry can give back.
  base::Co<Pruned> collect(CollectionLimits limits);

 private:
  struct State;
  struct Pull;
  struct Spool;
  explicit ImageStore(std::shared_ptr<State> state);

  base::Co<> receive(std::shared_ptr<Spool> spool, std::shared_ptr<ByteSource> archive);
  bool is_used(const ImageRecord& image) const;
  void touch_used();
  std::vector<CollectableImage> collectable() const;
  base::Co<Pruned> remove_all(std::vector<std::string> references);
  base::Co<Pruned> make_room(CollectionLimits limits);

  std::shared_ptr<State> state_;
  std::set<std::string> used_;  // normalised references, and digests
};

}  // namespace orchion::node::images
