#pragma once

// A watch's answers as whole commits. Pure.

#include <memory>
#include <vector>

#include "control/store/commit_feed.h"
#include "control/store/etcd/transaction_codec.h"

namespace orchion::control::store {

// Of one watch over all that is below the prefix. etcd sends what one of its revisions changed together, or, where that
// is large, in fragments that follow each other.
class WatchAssembler {
 public:
  // Everything up to `seen` is known.
  WatchAssembler(TransactionCodec codec, EtcdRevision seen) : codec_(std::move(codec)), seen_(seen) {}

  // The commits that `response` completes, in order. kFailedPrecondition: the epoch is over.
  base::Result<std::vector<CommitPointer>> add(const etcdserverpb::WatchResponse& response);

  // Every change up to here was given out: where the next watch goes on.
  EtcdRevision seen() const { return seen_; }

 private:
  base::Result<> take(const mvccpb::Event& event);
  void finish(std::vector<CommitPointer>& commits);

  TransactionCodec codec_;
  EtcdRevision seen_;
  EtcdRevision gathering_ = 0;      // the etcd revision whose changes are coming; 0: none
  std::shared_ptr<Commit> commit_;  // nullptr: nothing of it is ours
};

}  // namespace orchion::control::store
