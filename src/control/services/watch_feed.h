#pragma once

// What changes in the store as events, each made once for all who watch.

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/notifier.h"
#include "control/services/context.h"
#include "core/shared_message.h"
#include "v1/watch.pb.h"

namespace orchion::control::services {

struct WatchedChange {
  std::string kind;
  std::string stack;
  core::SharedMessagePtr event;
};

// Of one commit; kinds that can't be watched (tokens) are left out.
struct WatchedCommit {
  store::Revision revision = 0;
  std::vector<WatchedChange> changes;
};

WatchedCommit watched(const store::ObjectStore& objects, const store::ObjectStore::Commit& commit);

bool is_wanted(const v1::WatchRequest& request, const std::string& kind, const std::string& stack);

// Puts `object` where its kind belongs in the oneof. False for kinds that aren't watched.
bool set_object(v1::WatchEvent& event, const google::protobuf::Message& object);

// The place of one watcher: the commits that it hasn't had. It isn't woken for those of which it wants nothing.
class WatchFollower {
 public:
  WatchFollower(base::Executor executor, v1::WatchRequest wants, store::Revision now)
      : request_(std::move(wants)), passed_(now), arrived_(std::move(executor)) {}

  void put(const std::shared_ptr<const WatchedCommit>& commit);

  // Whole commits, the oldest first, as many as one crossing is worth; empty: none are there.
  std::vector<core::SharedMessagePtr> take();

  bool is_empty() const { return commits_.empty(); }
  // It holds nothing any more, and is to list again.
  bool fell_behind() const { return fell_behind_; }
  // While nothing is here: nothing up to this revision is missing.
  store::Revision passed() const { return passed_; }

  base::Co<> wait() { return arrived_.wait(); }
  void wake() { arrived_.notify(); }

 private:
  const v1::WatchRequest request_;
  std::deque<std::shared_ptr<const WatchedCommit>> commits_;
  store::Revision passed_;
  bool fell_behind_ = false;
  base::Notifier arrived_;
};

// One executor.
class WatchFeed {
 public:
  explicit WatchFeed(ServiceContext context);

  // From now on, until the pointer goes.
  std::shared_ptr<WatchFollower> follow(v1::WatchRequest request);

  // How long a watcher waits after it was sent something, so that what comes meanwhile goes in one: nothing while
  // there are few, and longer the more there are, so that all together leave the loop to the others.
  base::Duration rest() const;

 private:
  void tell(const store::ObjectStore::Commit& commit);

  ServiceContext context_;
  std::vector<std::weak_ptr<WatchFollower>> followers_;
  std::shared_ptr<void> subscription_;
};

}  // namespace orchion::control::services
