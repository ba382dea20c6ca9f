#pragma once

// Which servers share an etcd, and which one of them leads.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/store/etcd/etcd_client.h"
#include "control/store/etcd/layout.h"
#include "control/store/etcd/transaction_codec.h"

namespace orchion::control::store {

struct ElectionOptions {
  EtcdAccess access;
  std::string prefix = "/orchion";
  std::string id;       // of this server, no other's; no slash
  std::string name;     // what people call it
  std::string address;  // "HOST:PORT" where the other servers reach it; empty: nowhere
  std::chrono::seconds lease{5};
};

// A server that holds a lease. One that ended or stands still is one of them until its lease is over.
struct EtcdMember {
  std::string id;
  std::string name;
  std::string address;
  bool leads = false;

  bool operator==(const EtcdMember&) const = default;
};

// Each server holds a lease, and with it the key PREFIX/member/ID; whoever makes PREFIX/leader with it leads. The
// revision that made that key is the term: a store fenced by it writes nothing once the key is another's. One executor.
class EtcdElection {
 public:
  // `changed` is called after members() or term() changed.
  EtcdElection(base::Executor executor, ElectionOptions options, std::function<void()> changed);
  ~EtcdElection();

  // Until close(), which makes it kUnavailable, or until this server led and doesn't any more, with the reason. While
  // etcd doesn't answer nothing changes: nobody else can begin to lead then, and what this server writes the fence
  // judges.
  base::Co<> run();

  // Gives up lease and lead, so that others needn't wait for its end. Best effort: a second at most.
  base::Co<> release();

  void close();

  const std::vector<EtcdMember>& members() const { return members_; }  // by id
  const EtcdMember* leader() const;                                    // null: nobody leads
  std::optional<EtcdRevision> term() const { return term_; }           // set while this server leads

 private:
  struct Seen {
    std::vector<EtcdMember> members;
    bool led = false;                  // by anybody
    std::optional<EtcdRevision> term;  // where by this one
  };

  base::Co<> take_turn();
  base::Co<> join();
  base::Co<Seen> look();
  base::Co<> stand();
  base::Co<> renew();
  void take(Seen seen);

  ElectionOptions options_;
  EtcdLayout layout_;
  std::function<void()> changed_;
  base::SystemClock clock_;
  std::shared_ptr<EtcdClient> client_;
  std::int64_t lease_ = 0;  // 0: none
  base::Time renewed_;
  std::vector<EtcdMember> members_;
  std::optional<EtcdRevision> term_;
};

}  // namespace orchion::control::store
