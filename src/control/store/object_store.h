#pragma once

// The store as the rest of the control plane uses it: typed objects, one view of them, whole commits to listeners.

#include <functional>
#include <memory>
#include <string>

#include "base/task_group.h"
#include "control/store/store.h"
#include "control/store/view.h"

namespace orchion::control::store {

// An object is two entries: "spec/KIND/STACK/NAME" holds meta and spec (and all else that isn't status),
// "status/KIND/STACK/NAME" holds the status alone. T is one of the messages of v1/objects.proto that have `meta`.
// meta.revision is never stored: reads fill it in with the revision of the spec's entry.
//
// These add to a transaction. `create` sets meta.uid where it is empty and expects that no such object exists.
// `put_spec` expects meta.revision and counts meta.generation up where the spec differs from what `put_spec`'s caller
// read (the caller passes `changed`). `put_status` has no precondition but that the object's spec entry exists
// unchanged in uid: pass the object as read. `remove` takes both entries away.
template <class T>
void create(Transaction& transaction, const T& object);
template <class T>
void put_spec(Transaction& transaction, const T& object);
template <class T>
void put_status(Transaction& transaction, const T& object);
template <class T>
void remove(Transaction& transaction, const T& object);

class ObjectStore {
 public:
  // `store` outlives it. One executor, the control loop.
  ObjectStore(base::Executor executor, Store& store);
  ~ObjectStore();

  // Reads everything; then the view follows the store until shutdown(). Where the store answers "list again" the view
  // is loaded anew and listeners get the difference.
  base::Co<> start();
  base::Co<> shutdown();

  const View& view() const;

  // As Store::commit; when it returns view() shows the commit and the listeners have had it.
  base::Co<Revision> commit(Transaction transaction);

  // Called on the executor after the view shows a commit, once per commit, with all its changes. Must not block and
  // must not commit inline. The listener is removed when the handle is destroyed.
  struct Commit {
    Revision revision = 0;
    std::vector<ObjectChange> changes;
  };
  using Listener = std::function<void(const std::shared_ptr<const Commit>&)>;
  std::shared_ptr<void> subscribe(Listener listener);

  // The commits after `since`, oldest first, as far back as they are remembered (the last 10,000 changes); nullopt: no
  // longer, or of another epoch: list again.
  std::optional<std::vector<std::shared_ptr<const Commit>>> history(const Bookmark& since) const;

  Bookmark bookmark() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::control::store
