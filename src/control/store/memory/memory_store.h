#pragma once

// A Store that forgets with the process: for tests and for the cluster in one process.

#include <map>
#include <memory>
#include <string>

#include "control/store/commit_feed.h"
#include "control/store/store.h"

namespace orchion::control::store {

// One executor; not thread-safe. Outlives its watches' use: they end with kUnavailable when it is destroyed.
class MemoryStore final : public Store {
 public:
  // `epoch` must differ between stores whose bookmarks may meet.
  MemoryStore(base::Executor executor, std::string epoch, HistoryLimits history = {});
  ~MemoryStore() override;

  base::Co<Revision> commit(Transaction transaction) override;
  base::Co<std::optional<Entry>> get(std::string key) override;
  base::Co<Snapshot> list(std::string prefix) override;
  base::Co<std::unique_ptr<Watch>> watch(Revision after) override;
  Revision revision() const override;
  const std::string& epoch() const override { return epoch_; }

 private:
  base::Result<Revision> apply(Transaction transaction);

  base::Executor executor_;
  std::string epoch_;
  std::map<std::string, Entry> entries_;
  std::shared_ptr<CommitFeed> feed_;
};

}  // namespace orchion::control::store
