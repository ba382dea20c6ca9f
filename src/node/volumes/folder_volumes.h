#pragma once

#include <set>

#include "base/worker_pool.h"
#include "node/volumes/volumes.h"

namespace orchion::node::volumes {

// Volumes as plain folders: `folder`/UID/data, 0755 and root's. One executor; the file system is touched by
// `workers`, which must outlive this. A uid is what base::new_uid makes; anything that isn't a plain name is
// kInvalidArgument. Removal first renames, so that a crash leaves a whole volume or none; what it left half
// removed goes with the next removal.
class FolderVolumes final : public Volumes {
 public:
  FolderVolumes(base::WorkerPool& workers, std::filesystem::path folder);

  base::Co<std::filesystem::path> ensure(std::string uid) override;
  base::Co<> remove(std::string uid) override;
  base::Co<std::vector<std::string>> list() override;

 private:
  base::WorkerPool& workers_;
  std::filesystem::path folder_;
};

// In memory: remembers which volumes exist; the paths it returns lie below `folder` and are not created.
class FakeVolumes final : public Volumes {
 public:
  explicit FakeVolumes(std::filesystem::path folder = "/volumes") : folder_(std::move(folder)) {}

  base::Co<std::filesystem::path> ensure(std::string uid) override;
  base::Co<> remove(std::string uid) override;
  base::Co<std::vector<std::string>> list() override;

 private:
  std::filesystem::path folder_;
  std::set<std::string> uids_;
};

}  // namespace orchion::node::volumes
