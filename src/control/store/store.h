#pragma once

// The cluster's durable memory: a map from keys to bytes with revisions, transactions and a watch. Behind it
// stand memory, SQLite and etcd; all pass one conformance test. Only this folder knows which.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/co.h"

namespace orchion::control::store {

// Rises from 1 on with each transaction that changed something; others who write to one etcd leave gaps. The same
// number never names two states within an epoch.
using Revision = std::uint64_t;

// A transaction may hold this much at the most, in every store: etcd's limits are 128 and 1.5 MiB.
constexpr std::size_t kOperationsMax = 120;
constexpr std::size_t kTransactionBytesMax = 1u << 20;

struct Entry {
  std::string key;
  std::string value;
  Revision revision = 0;  // of the transaction that wrote it last
  Revision created = 0;   // of the transaction that wrote it first, since it was last absent

  bool operator==(const Entry&) const = default;
};

struct Precondition {
  enum class Holds {
    kUnchanged,   // when the key's entry has this revision; 0: when there is no entry
    kNotRemoved,  // when the key had an entry at this revision and has had it ever since, written to or not
  };

  std::string key;
  Revision revision = 0;
  Holds holds = Holds::kUnchanged;
};

struct Operation {
  std::string key;
  std::optional<std::string> value;  // nullopt: remove; removing what isn't there is no error
};

struct Transaction {
  std::vector<Precondition> preconditions;
  std::vector<Operation> operations;  // a key at most once

  void expect(std::string key, Revision revision) { preconditions.push_back({std::move(key), revision}); }
  void expect_kept(std::string key, Revision since) {
    preconditions.push_back({std::move(key), since, Precondition::Holds::kNotRemoved});
  }
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

  // Waits for the next commit. The first time nothing is left to deliver it gives a bookmark: the watcher has now
  // seen all there was. kOutOfRange: this watcher fell too far behind, or the history before its start was
  // compacted: list again. kUnavailable: the store was closed.
  virtual base::Co<Commit> next() = 0;
};

// Belongs to one executor, the control loop; its coroutines run there. Order of events on that executor:
// a commit is durable, then watches have it, then its caller gets the revision.
class Store {
 public:
  virtual ~Store() = default;

  // All or nothing. Returned means fsynced. kAborted: a precondition doesn't hold, nothing was done.
  // kInvalidArgument: too large, or a key twice. kResourceExhausted: no space; nothing was done. kUnavailable: the
  // store can't write, for good (a failed fsync) or for now (etcd): it says which. A transaction without operations
  // only checks, and one that changes nothing (it removes what isn't there) makes no revision; both return the
  // current one. Once begun, cancelling the caller doesn't undo it.
  virtual base::Co<Revision> commit(Transaction transaction) = 0;

  virtual base::Co<std::optional<Entry>> get(std::string key) = 0;

  // Every entry whose key begins with `prefix`, and the revision at which that is the whole.
  virtual base::Co<Snapshot> list(std::string prefix) = 0;

  // Commits after `after`. kOutOfRange where the history no longer reaches back so far, or where `after` is newer
  // than revision(): it must be of another epoch.
  virtual base::Co<std::unique_ptr<Watch>> watch(Revision after) = 0;

  // Of the newest durable transaction.
  virtual Revision revision() const = 0;
  virtual const std::string& epoch() const = 0;
};

}  // namespace orchion::control::store
