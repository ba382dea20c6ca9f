#pragma once

// Keeps a feed of commits following etcd.

#include <memory>

#include "control/store/etcd/etcd_link.h"

namespace orchion::control::store {

// One watch over all that is below the prefix, on one member; on another where it breaks, from where it broke. Where
// etcd no longer has what came meanwhile, the feed goes on from the newest and its watches list again.
class EtcdFollower : public std::enable_shared_from_this<EtcdFollower> {
 public:
  EtcdFollower(std::shared_ptr<EtcdLink> link, EtcdRevision seen) : link_(std::move(link)), seen_(seen) {}

  // Until the link is closed. Closes it itself where the epoch is over.
  base::Co<> run();

  // Until the feed has come to `revision`, which is durable. A watch that doesn't get there soon is begun anew with
  // another member. kUnavailable: it didn't get there, or the link was closed.
  base::Co<> wait_until(Revision revision);

  // Everything up to here is in the feed, or was skipped.
  EtcdRevision seen() const { return seen_; }

  // Of the newest transaction at this moment, asked of etcd; closes the link where the epoch is over.
  struct Newest {
    Revision revision = 0;
    EtcdRevision etcd_revision = 0;  // nothing below the prefix was changed after `revision` up to here
  };
  base::Co<Newest> ask_for_newest();

 private:
  base::Co<> watch_until_broken();
  base::Co<> skip_what_is_gone();

  std::shared_ptr<EtcdLink> link_;
  EtcdRevision seen_;
  std::shared_ptr<wire::grpc::ByteStream> stream_;
  base::Random random_ = base::Random::from_system();
  base::Backoff backoff_{{.first = std::chrono::milliseconds(50), .longest = std::chrono::seconds(2)}};
};

// The sentence for "the state was replaced".
base::Error epoch_over();

}  // namespace orchion::control::store
