#pragma once

// Takes transactions to etcd, each once.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "control/store/etcd/etcd_follower.h"
#include "control/store/etcd/etcd_link.h"

namespace orchion::control::store {

// What a caller waits for.
struct PendingTransaction {
  PendingTransaction(const base::Executor& executor, Transaction the_transaction)
      : transaction(std::move(the_transaction)), done(executor) {}

  Transaction transaction;
  base::Notifier done;
  std::optional<base::Result<Revision>> verdict;
};

// Its slots are how many transactions are under way at once; the others queue. Each becomes one etcd transaction of its
// own: several in one would share a revision, and each other's verdict.
class EtcdWriter : public std::enable_shared_from_this<EtcdWriter> {
 public:
  EtcdWriter(std::shared_ptr<EtcdLink> link, std::shared_ptr<EtcdFollower> follower, const std::string& name);

  // Learns what the slots of this name are at.
  base::Co<> start();

  // kResourceExhausted: too much waits already.
  base::Result<> commit(std::shared_ptr<PendingTransaction> pending);

  // What is queued fails with `error`.
  void refuse_queue(const base::Error& error);

 private:
  struct Slot {
    enum class State { kFree, kBusy, kUnsettled };
    SlotUse use;
    State state = State::kFree;
  };
  using Pending = std::shared_ptr<PendingTransaction>;

  void begin_what_can();
  base::Co<> carry(Slot* slot, Pending pending);
  base::Co<Revision> write(Slot* slot, Pending pending);
  base::Co<std::optional<Revision>> attempt(Slot* slot, Pending pending);
  base::Co<etcdserverpb::TxnResponse> ask(etcdserverpb::TxnRequest request);
  base::Result<std::optional<Revision>> conclude(const TransactionCodec::Settled& settled) const;
  base::Result<std::optional<Revision>> conclude(Slot* slot, const TransactionCodec::Verdict& verdict);
  base::Co<TransactionCodec::Settled> settle(Slot* slot);
  base::Co<> settle_later(Slot* slot);

  std::shared_ptr<EtcdLink> link_;
  std::shared_ptr<EtcdFollower> follower_;
  std::string folder_;  // of the slots' keys
  base::Random random_ = base::Random::from_system();
  std::vector<Slot> slots_;
  std::deque<Pending> queue_;
  std::size_t bytes_queued_ = 0;
};

}  // namespace orchion::control::store
