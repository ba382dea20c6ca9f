#pragma once

// One server of several leads, as long as a lease of etcd lasts.

#include <memory>
#include <string>

#include "control/store/etcd/etcd_client.h"
#include "control/store/etcd/layout.h"
#include "control/store/etcd/transaction_codec.h"

namespace orchion::control::store {

struct LeadershipOptions {
  EtcdAccess access;
  std::string prefix = "/orchion";
  std::string name;  // what others are told of who leads
  std::chrono::seconds lease{5};
};

// The key PREFIX/leader, which goes with the lease. Who made it leads; its create revision is the term: a store opened
// with it as its fence writes nothing once the key is another's. One executor.
class EtcdLeadership {
 public:
  EtcdLeadership(base::Executor executor, LeadershipOptions options);
  ~EtcdLeadership();

  // Waits as long as another leads, or etcd doesn't answer: which it says in the log. Returns the fence. kUnavailable
  // after close().
  base::Co<EtcdRevision> acquire();

  // After acquire(). Keeps the lease; returns, with the reason, when etcd says that it is over. While etcd doesn't
  // answer this server may lead or not: it reads on, and what it writes the fence judges. After close(): kUnavailable.
  base::Co<> hold();

  // Gives the lead up, so that others needn't wait for the end of the lease. Best effort: a second at most.
  base::Co<> release();

  void close();

 private:
  base::Co<std::optional<EtcdRevision>> try_once();
  base::Co<std::string> leader();
  base::Co<> renew();
  base::Co<> revoke();

  LeadershipOptions options_;
  std::string key_;
  base::SystemClock clock_;
  base::Random random_ = base::Random::from_system();
  std::shared_ptr<EtcdClient> client_;
  std::int64_t lease_ = 0;  // 0: none
};

}  // namespace orchion::control::store
