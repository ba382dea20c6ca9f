#pragma once

// The store as the rest of the control plane uses it: typed objects, one view of them, whole commits to listeners.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/co.h"
#include "control/store/store.h"
#include "control/store/view.h"

namespace orchion::control::store {

// An object is two entries: "spec/KIND/STACK/NAME" holds meta and spec (and all else that isn't status),
// "status/KIND/STACK/NAME" holds the status alone. T is one of the messages of v1/objects.proto that have `meta`.
// meta.revision is never stored: reads fill it in with the revision of the spec's entry.
//
// These add to a transaction. An object is written, or removed, once in a transaction; put_status may come beside it.
// `create` writes the object with its status and expects that there is none of that name. It sets meta.uid (from the
// operating system) and meta.generation (1) where they are empty; who needs to know the uid sets it.
// `put_spec` writes all but the status and expects that the spec's entry still has meta.revision. It compares nothing:
// whoever changed the spec counts meta.generation up.
// `put_status` writes the status alone. It expects that the object read (meta.revision) hasn't been removed since; a
// spec written meanwhile doesn't stop it. An object that `create` made in the same transaction is fine too.
// `remove` takes both entries away and expects meta.revision, as put_spec does.
template <class T>
void create(Transaction& transaction, const T& object);
template <class T>
void put_spec(Transaction& transaction, const T& object);
template <class T>
void put_status(Transaction& transaction, const T& object);
template <class T>
void remove(Transaction& transaction, const T& object);

// For preconditions of one's own: the key of the object's spec.
template <class T>
std::string spec_key(const T& object);

class ObjectStore {
 public:
  // `store` outlives it. One executor, the control loop.
  ObjectStore(base::Executor executor, Store& store);
  ~ObjectStore();

  // Reads everything; then the view follows the store until shutdown(). Where the store answers "list again" the view
  // is loaded anew and listeners get the difference.
  // Destroy it only when shutdown() has returned, where start() succeeded.
  base::Co<> start();
  base::Co<> shutdown();

  const View& view() const;

  // As Store::commit; when it returns view() shows the commit and the listeners have had it. kUnavailable after the
  // commit, where shutdown() came before the view could follow.
  base::Co<Revision> commit(Transaction transaction);

  // What is no object (keys of other forms): as Store::get and Store::list.
  base::Co<std::optional<Entry>> get(std::string key) const;
  base::Co<Snapshot> list(std::string prefix) const;

  // Called on the executor after the view shows a commit, once per commit, with all its changes. Must not block and
  // must not commit inline. The listener is removed when the handle is destroyed.
  struct Commit {
    Revision revision = 0;
    std::vector<ObjectChange> changes;
  };
  using Listener = std::function<void(const std::shared_ptr<const Commit>&)>;
  std::shared_ptr<void> subscribe(Listener listener);

  // The commits after `since`, oldest first, as far back as they are remembered (10,000 commits, 16 MiB); nullopt: no
  // longer, or of another epoch: list again.
  std::optional<std::vector<std::shared_ptr<const Commit>>> history(const Bookmark& since) const;

  Bookmark bookmark() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::control::store
