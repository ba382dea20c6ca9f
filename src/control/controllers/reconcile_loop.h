#pragma once

// A queue of keys and the coroutines that work on it: level-triggered, each key by one worker at a time.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/backoff.h"
#include "base/notifier.h"
#include "base/task_group.h"
#include "control/store/view.h"

namespace orchion::control::controllers {

// What is looked at: an object, or whatever a controller takes for one.
struct Key {
  std::string kind;
  store::ObjectName name;

  auto operator<=>(const Key&) const = default;
};

class ReconcileLoop {
 public:
  // Looks at one key anew; returns when to look again though nothing changed. kAborted (somebody else was quicker) is
  // tried again soon, any other error later and with a line in the log.
  using Step = std::function<base::Co<std::optional<base::Time>>(Key)>;

  // `clock` outlives it; so does whatever `step` touches, until shutdown() has returned.
  ReconcileLoop(base::Executor executor, base::Clock& clock, base::Random random, std::string name, Step step);

  // Each key at most once; one that is being worked on is looked at again afterwards.
  void enqueue(const Key& key);
  void enqueue_at(const Key& key, base::Time when);

  void start(int workers);
  base::Co<> shutdown();

  // Nothing is queued and nothing under way; what waits for its time doesn't count.
  bool is_idle() const { return queue_.empty() && active_.empty(); }

 private:
  base::Co<> work();
  base::Co<> wake_later(Key key, base::Time when);
  void finish(const Key& key, const base::Result<std::optional<base::Time>>& result);

  base::Clock& clock_;
  base::Random random_;
  std::string name_;
  Step step_;
  base::Notifier queued_;
  base::TaskGroup group_;
  std::set<Key> queue_;
  std::set<Key> active_;
  std::map<Key, base::Time> delayed_;
  std::map<Key, base::Backoff> failures_;
};

}  // namespace orchion::control::controllers
