#pragma once

#include "base/clock.h"
#include "control/store/store.h"

namespace orchion::testing {

// A store whose disk is slow, or full, for a time: what it says done is done, and what it refuses isn't.
class FaultyStore final : public control::store::Store {
 public:
  // Both outlive it.
  FaultyStore(control::store::Store& store, base::Clock& clock) : store_(store), clock_(clock) {}

  // Commits take so much longer from now on; 0: they don't.
  void slow_down(base::Duration delay) { delay_ = delay; }

  // Commits are refused from now on, or taken again.
  void set_full(bool full) { is_full_ = full; }

  base::Co<control::store::Revision> commit(control::store::Transaction transaction) override;
  base::Co<std::optional<control::store::Entry>> get(std::string key) override { return store_.get(std::move(key)); }
  base::Co<control::store::Snapshot> list(std::string prefix) override { return store_.list(std::move(prefix)); }
  base::Co<std::unique_ptr<control::store::Watch>> watch(control::store::Revision after) override {
    return store_.watch(after);
  }
  control::store::Revision revision() const override { return store_.revision(); }
  const std::string& epoch() const override { return store_.epoch(); }

 private:
  control::store::Store& store_;
  base::Clock& clock_;
  base::Duration delay_{};
  bool is_full_ = false;
};

}  // namespace orchion::testing
