#pragma once

// Our transactions as etcd's, and its answers as our verdicts. Pure.
//
// Revisions: etcd counts every write to it, ours begin with the epoch; a store's revision R is etcd's `base` + R, where
// `base` is the etcd revision that wrote the epoch. etcd compares and stamps by itself, so writers don't wait for each
// other. Other writes to the same etcd leave gaps; no number names two states.
//
// Whether a transaction was applied, where its answer got lost: each is written through a slot of its writer, a key
// that one transaction at a time holds. The transaction expects the slot as it last was and puts a token of its own
// there. Whoever wants to know expects the same and puts another token: if that succeeds the transaction was not
// applied and never will be, else the token that is there says it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "control/store/etcd/api/rpc.pb.h"
#include "control/store/etcd/layout.h"
#include "control/store/store.h"

namespace orchion::control::store {

using EtcdRevision = std::int64_t;

// The slot as its holder knows it, and what its next transaction leaves there.
struct SlotUse {
  std::string key;
  EtcdRevision modified = 0;  // 0: never written
  std::string token;
};

class TransactionCodec {
 public:
  TransactionCodec(EtcdLayout layout, EtcdRevision base) : layout_(std::move(layout)), base_(base) {}

  // From now on transactions are refused where the key of who leads wasn't made by this revision.
  void set_fence(EtcdRevision fence) { fence_ = fence; }

  const EtcdLayout& layout() const { return layout_; }
  EtcdRevision base() const { return base_; }
  EtcdRevision to_etcd(Revision revision) const { return base_ + static_cast<EtcdRevision>(revision); }
  // 0 for what was written before the epoch.
  Revision from_etcd(EtcdRevision revision) const {
    return revision <= base_ ? 0 : static_cast<Revision>(revision - base_);
  }

  // What must be known of the state before a transaction is encoded, beside what it says itself. It is compared again,
  // so it may be old.
  struct Known {
    // When the keys were created that are to be kept; 0: absent. That an entry exists and isn't newer than a revision
    // takes two comparisons, that it is this one takes one, and etcd's limit counts them.
    std::map<std::string, EtcdRevision> created;
    // One of those to be removed, and when it was created: what only removes leaves no revision where none is there.
    std::optional<std::pair<std::string, EtcdRevision>> present;
  };

  // Whether `created` is needed, and the question.
  static bool needs_created(const Transaction& transaction);
  etcdserverpb::TxnRequest encode_asking_created(const Transaction& transaction) const;
  base::Result<> decode_created(const Transaction& transaction, const etcdserverpb::TxnResponse& response,
                                Known& known) const;

  // Whether `present` is needed, and the question; `known.present` stays empty where there is nothing to remove: the
  // verdict is that of the whole transaction then.
  static bool needs_present(const Transaction& transaction);
  etcdserverpb::TxnRequest encode_asking_present(const Transaction& transaction, const SlotUse& slot,
                                                 const Known& known) const;

  // `transaction` has passed check_transaction(). Without operations the slot isn't touched.
  etcdserverpb::TxnRequest encode(const Transaction& transaction, const SlotUse& slot, const Known& known) const;

  struct Verdict {
    enum class Kind {
      kDone,       // applied, or nothing to apply
      kRefused,    // a precondition doesn't hold: `error`
      kAgain,      // not applied: the slot, or what was known, isn't any more what it was
      kEpochOver,  // not applied; the state was replaced
      kFenced,     // not applied; another leads
    };
    Kind kind = Kind::kDone;
    Revision revision = 0;           // kDone: its own, or the newest where it changed nothing
    EtcdRevision slot_modified = 0;  // what the slot is at now
    base::Error error;
  };
  base::Result<Verdict> decode(const Transaction& transaction, const SlotUse& slot,
                               const etcdserverpb::TxnResponse& response) const;
  base::Result<Verdict> decode_present(const Transaction& transaction, const SlotUse& slot,
                                       const etcdserverpb::TxnResponse& response, Known& known) const;

  // Asks whether the transaction that holds `slot` was applied, and keeps it from being where it wasn't.
  etcdserverpb::TxnRequest encode_settling(const SlotUse& slot) const;

  struct Settled {
    enum class Kind {
      kApplied,
      kNever,
      kOverwritten,  // another writer of the same name came after it, or instead of it
    };
    Kind kind = Kind::kNever;
    EtcdRevision slot_modified = 0;  // kApplied: the transaction's own revision
  };
  base::Result<Settled> decode_settling(const SlotUse& slot, const etcdserverpb::TxnResponse& response) const;

  // The newest transaction's slot, and with `encode_listing` then as much of what begins with `key_prefix` as `limit`
  // allows, of one moment. Not succeeded: the epoch is over.
  etcdserverpb::TxnRequest encode_asking_newest() const;
  etcdserverpb::TxnRequest encode_listing(const std::string& key_prefix, std::int64_t limit) const;

  // Of a range over entries, or over the newest slot.
  Entry entry_of(const mvccpb::KeyValue& pair) const;
  Revision newest_of(const etcdserverpb::RangeResponse& slots) const;

 private:
  void compare_all(etcdserverpb::TxnRequest& request, const Transaction& transaction, const SlotUse& slot,
                   const Known& known) const;
  void add_precondition(etcdserverpb::TxnRequest& request, const Precondition& precondition, const Known& known) const;
  void expect_kept(etcdserverpb::TxnRequest& request, const Precondition& precondition, const Known& known) const;
  void add_operation(etcdserverpb::TxnRequest& request, const Operation& operation) const;
  void ask_for_newest(etcdserverpb::TxnRequest& request) const;
  base::Result<Verdict> explain_failure(const Transaction& transaction,
                                        const etcdserverpb::TxnResponse& response) const;

  EtcdLayout layout_;
  EtcdRevision base_;
  std::optional<EtcdRevision> fence_;
};

}  // namespace orchion::control::store
