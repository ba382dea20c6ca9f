#include "control/store/sqlite/sqlite_store.h"

#include <algorithm>

#include "base/file.h"
#include "base/worker_pool.h"
#include "control/store/sqlite/writer.h"
#include "control/store/transaction_rules.h"

namespace orchion::control::store {
namespace {

// Watches of the newest commits are served from memory, older ones from the file.
constexpr HistoryLimits kInMemory{.commits = 1000, .bytes = 4u << 20};

HistoryLimits smaller_of(const HistoryLimits& a, const HistoryLimits& b) {
  return {std::min(a.commits, b.commits), std::min(a.bytes, b.bytes)};
}

// On the executor: what became durable is watched first, then its callers know.
void deliver(CommitFeed& feed, const Writer::Pending& pending, const Engine::Group& group) {
  for (const auto& commit : group.commits) feed.push(commit);
  for (std::size_t i = 0; i < pending.size(); ++i) {
    pending[i]->verdict = group.verdicts[i];
    pending[i]->done.notify();
  }
}

}  // namespace

base::Result<std::unique_ptr<SqliteStore>> SqliteStore::open(base::Executor executor, std::filesystem::path path,
                                                             SqliteOptions options) {
  if (path.has_parent_path()) RETURN_IF_ERROR(base::make_folders(path.parent_path()));
  const HistoryLimits history = options.history;
  ASSIGN_OR_RETURN(auto engine, Engine::open(path, std::move(options)));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(executor), std::move(engine), history));
}

SqliteStore::SqliteStore(base::Executor executor, std::unique_ptr<Engine> engine, HistoryLimits history)
    : executor_(executor),
      epoch_(engine->state().epoch),
      feed_(std::make_shared<CommitFeed>(executor, smaller_of(history, kInMemory), engine->state().revision)) {
  writer_ = std::make_unique<Writer>(
      std::move(engine), [executor, feed = feed_](Writer::Pending pending, Engine::Group group) {
        // Moved on: waiters belong to the executor, this thread keeps nothing of them.
        base::post_to(executor, [feed, pending = std::move(pending), group = std::move(group)] {
          deliver(*feed, pending, group);
        });
      });
}

SqliteStore::~SqliteStore() {
  feed_->close({base::Code::kUnavailable, "the store was closed", {}});
}

base::Co<Revision> SqliteStore::commit(Transaction transaction) {
  CO_RETURN_IF_ERROR(check_transaction(transaction));
  auto pending = std::make_shared<PendingCommit>(executor_, std::move(transaction));
  CO_RETURN_IF_ERROR(writer_->commit(pending));
  while (!pending->verdict) CO_RETURN_IF_ERROR(co_await pending->done.wait());
  co_return *pending->verdict;
}

template <class T>
base::Co<T> SqliteStore::read(std::function<base::Result<T>(Engine&)> work) {
  struct Call {
    explicit Call(const base::Executor& executor) : done(executor) {}
    base::Notifier done;
    std::optional<base::Result<T>> result;
  };
  auto call = std::make_shared<Call>(executor_);
  Writer::Read job = [call, executor = executor_, work = std::move(work)](Engine& engine) mutable {
    auto result = work(engine);
    base::post_to(executor, [call = std::move(call), result = std::move(result)]() mutable {
      call->result = std::move(result);
      call->done.notify();
    });
  };
  writer_->read(std::move(job));
  while (!call->result) CO_RETURN_IF_ERROR(co_await call->done.wait());
  co_return std::move(*call->result);
}

base::Co<std::optional<Entry>> SqliteStore::get(std::string key) {
  return read<std::optional<Entry>>([key = std::move(key)](Engine& engine) { return engine.get(key); });
}

base::Co<Snapshot> SqliteStore::list(std::string prefix) {
  return read<Snapshot>([prefix = std::move(prefix)](Engine& engine) { return engine.list(prefix); });
}

base::Co<std::unique_ptr<Watch>> SqliteStore::watch(Revision after) {
  // A watch asks for older commits only while the feed is open, that is, while this store lives.
  OlderCommits older = [this](Revision position) {
    return read<std::vector<CommitPointer>>([position](Engine& engine) { return engine.history(position); });
  };
  co_return watch_feed(feed_, after, std::move(older));
}

}  // namespace orchion::control::store
