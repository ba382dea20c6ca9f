#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/notifier.h"
#include "control/store/commit_feed.h"
#include "control/store/etcd/etcd_client.h"
#include "control/store/etcd/transaction_codec.h"

namespace orchion::control::store {

inline constexpr char kTxnMethod[] = "/etcdserverpb.KV/Txn";
inline constexpr char kRangeMethod[] = "/etcdserverpb.KV/Range";

// How long one read, or one step of a write, may look for a member that answers.
inline constexpr base::Duration kAnswerLimit = std::chrono::seconds(8);

// What the parts of one store share. One executor; held by shared_ptr, since the coroutines that run in the background
// outlive the store by a turn.
struct EtcdLink {
  EtcdLink(base::Executor the_executor, std::shared_ptr<EtcdClient> the_client, TransactionCodec the_codec,
           std::shared_ptr<CommitFeed> the_feed)
      : executor(the_executor),
        client(std::move(the_client)),
        codec(std::move(the_codec)),
        feed(std::move(the_feed)),
        closing(the_executor) {}

  bool closed() const { return client->closed() || feed->closed(); }

  // Ends calls, watches and pauses.
  void close(base::Error error) {
    if (!feed->closed()) feed->close(error);
    client->close();
    closing.notify();
    if (auto tell = std::exchange(ended, nullptr)) tell(std::move(error));
  }

  // Shorter where the store is closed meanwhile.
  base::Co<> pause(base::Duration duration);

  // Runs `coroutine` in the background; an exception is logged.
  void spawn(base::Co<> coroutine) const;

  base::Executor executor;
  std::shared_ptr<EtcdClient> client;
  TransactionCodec codec;
  std::shared_ptr<CommitFeed> feed;
  base::SystemClock clock;
  base::Notifier closing;
  std::function<void(base::Error)> ended;  // as EtcdStoreOptions says
};

}  // namespace orchion::control::store
