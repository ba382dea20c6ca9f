#pragma once

// The Store in an etcd that several servers share.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control/store/commit_feed.h"
#include "control/store/etcd/etcd_client.h"
#include "control/store/etcd/transaction_codec.h"
#include "control/store/store.h"

namespace orchion::control::store {

struct EtcdStoreOptions {
  EtcdAccess access;
  std::string prefix = "/orchion";  // what is below it is the store's, and nobody else's

  // Of this server, the same each time it starts: its transactions are told from others' by it. Two of one
  // name at once wait for each other, and may not learn what became of a lost answer.
  std::string writer;

  HistoryLimits history;  // of watches; what is older is listed again

  // etcd keeps every value that ever was until it is told to forget those before a revision. This long at least stays
  // what a watch may need. The whole etcd is compacted, beyond the prefix too. Zero: somebody else does it.
  base::Duration compact_every = std::chrono::minutes(5);

  // Called once where the store ended by itself: the epoch is over, or another leads. On the executor.
  std::function<void(base::Error)> ended = {};
};

// Reads are linearizable: they see what any server was told is durable. Transactions go to etcd side by side, as many
// at once as this writer has slots; a lost answer is settled with etcd before the caller hears anything, and a member
// that is gone costs seconds, no write. Without a majority of etcd's members writes and reads fail with kUnavailable
// after at most ten seconds, and the sentence says whether it is known that nothing was changed; watches wait and go on
// when it is back. What etcd knows no longer (compaction) makes watches list again. kUnavailable for good, and the end
// of watches: the state was replaced by another epoch.
class EtcdStore final : public Store {
 public:
  // Begins an epoch where there is none. `executor` is the control loop: the store is used and destroyed there.
  // kFailedPrecondition: a newer version wrote what is there.
  static base::Co<std::unique_ptr<EtcdStore>> open(base::Executor executor, EtcdStoreOptions options);

  // What begins from now on is written only while the term of EtcdElection lasts; once another leads, the store ends.
  // Without it anybody writes, no matter who leads.
  void fence(EtcdRevision term);

  // Doesn't wait for what was begun: it may be carried out or not.
  ~EtcdStore() override;

  base::Co<Revision> commit(Transaction transaction) override;
  base::Co<std::optional<Entry>> get(std::string key) override;
  base::Co<Snapshot> list(std::string prefix) override;
  base::Co<std::unique_ptr<Watch>> watch(Revision after) override;
  Revision revision() const override;
  const std::string& epoch() const override;

 private:
  struct State;
  explicit EtcdStore(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace orchion::control::store
