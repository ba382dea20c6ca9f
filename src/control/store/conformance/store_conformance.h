#pragma once

// What every store must do, as one body of tests. A store joins by instantiating it in its own test:
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, testing::Values(make_memory_factory));

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "control/store/commit_feed.h"
#include "control/store/conformance/test_loop.h"
#include "control/store/store.h"

namespace orchion::control::store {

// Opens stores of one kind. What it needs beside (a folder, a server) it owns and cleans up.
class StoreFactory {
 public:
  virtual ~StoreFactory() = default;

  // A new, empty store of an epoch of its own that keeps no more history than `history`.
  virtual std::unique_ptr<Store> open(base::Executor executor, HistoryLimits history) = 0;
};

using MakeStoreFactory = std::function<std::unique_ptr<StoreFactory>()>;

class StoreConformance : public testing::TestWithParam<MakeStoreFactory> {
 protected:
  StoreConformance() : factory_(GetParam()()) {}

  void open(HistoryLimits history = {}) { store_ = factory_->open(loop_.executor(), history); }
  Store& store() { return *store_; }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    return loop_.run(std::move(coroutine));
  }

  // Shortcuts that fail the test where the store does.
  Revision put(std::string key, std::string value);
  std::optional<Entry> get(std::string key);
  std::unique_ptr<Watch> watch(Revision after);
  Commit next(Watch& watch);

  // That the next commits are these, without gap; bookmarks between them don't count.
  void expect_commits(Watch& watch, Revision first, Revision last);

  TestLoop loop_;
  std::unique_ptr<StoreFactory> factory_;
  std::unique_ptr<Store> store_;
};

}  // namespace orchion::control::store
