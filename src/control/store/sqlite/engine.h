#pragma once

// The store's work on the database, without threads. Blocks; one thread at a time.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/store/commit_feed.h"
#include "control/store/sqlite/schema.h"
#include "control/store/store.h"

namespace orchion::control::store {

struct SqliteOptions {
  HistoryLimits history;
  std::string vfs;  // one of SQLite's file layers; empty: the default
  std::function<void()>
      broke;  // called once, on the writer's thread, when nothing can be written until it is opened anew
};

class Engine {
 public:
  static base::Result<std::unique_ptr<Engine>> open(const std::filesystem::path& path, SqliteOptions options);

  // What became of a group: a verdict each, and the commits of those that changed something.
  struct Group {
    std::vector<base::Result<Revision>> verdicts;
    std::vector<CommitPointer> commits;
  };

  // Makes all of them durable with one fsync, as if one after the other. Where space runs out each is tried alone.
  // After any other failure the engine is broken: nothing can be written until it is opened anew, because after a
  // failed fsync nobody knows what is on the disk.
  Group commit(std::span<const Transaction> transactions);

  base::Result<std::optional<Entry>> get(const std::string& key);
  base::Result<Snapshot> list(const std::string& prefix);

  // The first commits after `after`, at least one, up to a bound in memory; kOutOfRange where they were compacted.
  base::Result<std::vector<CommitPointer>> history(Revision after);

  // Housekeeping that nobody waits for: call it when verdicts have been handed out.
  void maintain();

  const StoredState& state() const { return state_; }

 private:
  Engine(std::filesystem::path path, Database database, StoredState state, SqliteOptions options);
  base::Result<> prepare();
  base::Result<> measure_history();

  base::Result<Group> attempt(std::span<const Transaction> transactions);
  base::Result<Group> perform(std::span<const Transaction> transactions);
  base::Result<base::Result<>> check(const Transaction& transaction);
  base::Result<CommitPointer> write(const Transaction& transaction, Revision revision);
  base::Result<bool> write_entry(const Operation& operation, Revision revision);
  base::Result<> compact();
  void break_by(const base::Error& error);

  base::Result<std::optional<Entry>> find(const std::string& key);
  base::Result<std::vector<Entry>> scan(const std::string& prefix);
  base::Result<std::vector<CommitPointer>> recall(Revision after);
  std::unexpected<base::Error> fail_read(const base::Error& error) const;

  std::filesystem::path path_;
  Database database_;
  StoredState state_;
  HistoryWindow window_;
  std::optional<base::Error> broken_;
  std::function<void()> broke_;
  int checkpoint_at_;  // pages in the log

  Statement begin_;
  Statement commit_;
  Statement rollback_;
  Statement find_revisions_;
  Statement find_;
  Statement list_;
  Statement put_;
  Statement remove_;
  Statement remember_;
  Statement forget_;
  Statement recall_;
  Statement save_state_;
};

}  // namespace orchion::control::store
