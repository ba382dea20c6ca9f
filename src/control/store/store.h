#pragma once

// The cluster's durable memory: a map from keys to bytes with revisions, transactions and a watch. Behind it
// stand memory, SQLite and, later, etcd; all pass one conformance test. Only this folder knows which.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/co.h"

namespace orchion::control::store {

// Counts transactions that changed something; the first has revision 1. The same number never names two
// states within an epoch.
using Revision = std::uint64_t;

// A transaction may hold this much at the most, in every store: etcd's limits are 128 and 1.5 MiB.
constexpr std::size_t kOperationsMax = 120;
constexpr std::size_t kTransactionBytesMax = 1u << 20;

struct Entry {
  std::string key;
  std::string value;
  Revision revision = 0;  // of the transaction that wrote it last

  bool operator==(const Entry&) const = default;
};

// Holds when the key's entry has this revision; 0: when there is no entry.
struct Precondition {
  std::string key;
  Revision revision = 0;
};

struct Operation {
  std::string key;
  std::optional<std::string> value;  // nullopt: remove; removing what isn't there is no error
};

struct Transaction {
  std::vector<Precondition> preconditions;
  std::vector<Operation> operations;  // a key at most once

  void expect(std::string key, Revision revision) { preconditions.push_back({std::move(key), revision}); }
  void put(std::string key, std::string value) { operations.push_back({std::move(key), std::move(value)}); }
  void remove(std::string key) { operations.push_back({std::move(key), std::nullopt}); }
};

struct Change {
  std::string key;
  std::optional<std::string> value;  // nullopt: removed
};

// One whole transaction, as a watch delivers it.
struct Commit {
  Revision revision = 0;
  std::vector<Change> changes;  // empty: a bookmark; nothing else happened up to `revision`
};

struct Snapshot {
  std::vector<Entry> entries;  // by key
  Revision revision = 0;
};

// A place in the history of one epoch. A restore begins a new epoch: bookmarks of the old one are void.
// Written "epoch.revision" and opaque to clients.
struct Bookmark {
  std::string epoch;
  Revision revision = 0;

  std::string text() const;
  static base::Result<Bookmark> parse(std::string_view text);
};

// Whole commits in revision order, without gap or duplicate.
class Watch {
 public:
  virtual ~Watch() = default;

  // Waits for the next commit. kOutOfRange: this watcher fell too far behind, or the history before its
  // start was compacted: list again.
  virtual base::Co<Commit> next() = 0;
};

// Belongs to one executor, the control loop; its coroutines run there. Order of events on that executor:
// a commit is durable, then watches have it, then its caller gets the revision.
class Store {
 public:
  virtual ~Store() = default;

  // All or nothing. Returned means fsynced. kAborted: a precondition doesn't hold, nothing was done.
  // kInvalidArgument: too large, or a key twice. kResourceExhausted: no space; nothing was done. kUnavailable: the
  // store can't write any more (a failed fsync); the process must start anew. A transaction without operations
  // only checks, and returns the current revision. Once begun, cancelling the caller doesn't undo it.
  virtual base::Co<Revision> commit(Transaction transaction) = 0;

  virtual base::Co<std::optional<Entry>> get(std::string key) = 0;

  // Every entry whose key begins with `prefix`, and the revision at which that is the whole.
  virtual base::Co<Snapshot> list(std::string prefix) = 0;

  // Commits after `after`. kOutOfRange where the history no longer reaches back so far.
  virtual base::Co<std::unique_ptr<Watch>> watch(Revision after) = 0;

  // Of the newest durable transaction.
  virtual Revision revision() const = 0;
  virtual const std::string& epoch() const = 0;
};

}  // namespace orchion::control::store
