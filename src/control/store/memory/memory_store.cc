#include "control/store/memory/memory_store.h"

#include "base/notifier.h"
#include "base/worker_pool.h"
#include "control/store/transaction_rules.h"

namespace orchion::control::store {
namespace {

// Lets everything run that was posted before.
base::Co<> wait_a_turn(base::Executor executor) {
  auto turn = std::make_shared<base::Notifier>(executor);
  base::post_to(executor, [turn] { turn->notify(); });
  co_return co_await turn->wait();
}

// Makes the entry of `operation` in `entries`; false where nothing changed.
bool perform(std::map<std::string, Entry>& entries, const Operation& operation, Revision revision) {
  if (!operation.value) return entries.erase(operation.key) > 0;
  auto& entry = entries[operation.key];
  if (entry.revision == 0) entry = Entry{operation.key, {}, revision, revision};
  entry.value = *operation.value;
  entry.revision = revision;
  return true;
}

}  // namespace

MemoryStore::MemoryStore(base::Executor executor, std::string epoch, HistoryLimits history)
    : executor_(executor), epoch_(std::move(epoch)), feed_(std::make_shared<CommitFeed>(executor, history, 0)) {}

MemoryStore::~MemoryStore() {
  feed_->close({base::Code::kUnavailable, "the store was closed", {}});
}

base::Co<Revision> MemoryStore::commit(Transaction transaction) {
  CO_RETURN_IF_ERROR(check_transaction(transaction));
  CO_ASSIGN_OR_RETURN(const Revision revision, apply(std::move(transaction)));
  CO_RETURN_IF_ERROR(co_await wait_a_turn(executor_));
  co_return revision;
}

base::Result<Revision> MemoryStore::apply(Transaction transaction) {
  for (const auto& precondition : transaction.preconditions) {
    const auto it = entries_.find(precondition.key);
    const bool found = it != entries_.end();
    RETURN_IF_ERROR(check_precondition(precondition, found ? it->second.created : 0, found ? it->second.revision : 0));
  }
  auto commit = std::make_shared<Commit>();
  commit->revision = feed_->newest() + 1;
  for (auto& operation : transaction.operations) {
    if (perform(entries_, operation, commit->revision)) {
      commit->changes.push_back({std::move(operation.key), std::move(operation.value)});
    }
  }
  if (!commit->changes.empty()) feed_->push(std::move(commit));
  return feed_->newest();
}

base::Co<std::optional<Entry>> MemoryStore::get(std::string key) {
  const auto it = entries_.find(key);
  co_return it == entries_.end() ? std::nullopt : std::optional<Entry>(it->second);
}

base::Co<Snapshot> MemoryStore::list(std::string prefix) {
  Snapshot snapshot;
  snapshot.revision = feed_->newest();
  for (auto it = entries_.lower_bound(prefix); it != entries_.end() && it->first.starts_with(prefix); ++it) {
    snapshot.entries.push_back(it->second);
  }
  co_return snapshot;
}

base::Co<std::unique_ptr<Watch>> MemoryStore::watch(Revision after) {
  co_return watch_feed(feed_, after);
}

Revision MemoryStore::revision() const {
  return feed_->newest();
}

}  // namespace orchion::control::store
