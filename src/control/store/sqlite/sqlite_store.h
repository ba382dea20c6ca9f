#pragma once

// The Store on one SQLite file: what orchion uses where one machine is enough.

#include <filesystem>
#include <memory>
#include <string>

#include "control/store/commit_feed.h"
#include "control/store/sqlite/engine.h"
#include "control/store/store.h"

namespace orchion::control::store {

class Writer;

// Transactions that wait together share one fsync; each keeps its own verdict and revision. One thread of its own does
// all work on the file, so that the executor never blocks. What is read or watched is durable.
class SqliteStore final : public Store {
 public:
  // Blocks. Creates the file (mode 0600) and its folder (0700) where they are missing. kFailedPrecondition: another
  // server has it open, or a newer version wrote it; kDataLoss: it is damaged. `executor` is the control loop: the
  // store is used and destroyed there, while its io_context still exists.
  static base::Result<std::unique_ptr<SqliteStore>> open(base::Executor executor, std::filesystem::path path,
                                                         SqliteOptions options = {});

  // Writes what was begun, then closes the file. Watches end with kUnavailable.
  ~SqliteStore() override;

  base::Co<Revision> commit(Transaction transaction) override;
  base::Co<std::optional<Entry>> get(std::string key) override;
  base::Co<Snapshot> list(std::string prefix) override;
  base::Co<std::unique_ptr<Watch>> watch(Revision after) override;
  Revision revision() const override { return feed_->newest(); }
  const std::string& epoch() const override { return epoch_; }

 private:
  SqliteStore(base::Executor executor, std::unique_ptr<Engine> engine, HistoryLimits history);

  // Runs `work` on the writer's thread.
  template <class T>
  base::Co<T> read(std::function<base::Result<T>(Engine&)> work);

  base::Executor executor_;
  std::string epoch_;
  std::shared_ptr<CommitFeed> feed_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace orchion::control::store
