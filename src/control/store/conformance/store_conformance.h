#pragma once

// What every store must do, as one body of tests. A store joins by instantiating it in its own test:
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, testing::Values(make_memory_factory));

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include "control/store/commit_feed.h"
#include "control/store/store.h"

namespace orchion::control::store {

// Opens stores of one kind. What it needs beside (a folder, a server) it owns and cleans up.
class StoreFactory {
 public:
  virtual ~StoreFactory() = default;

  // A new, empty store of an epoch of its own, on `io`, that keeps no more history than `history`.
  virtual std::unique_ptr<Store> open(boost::asio::io_context& io, HistoryLimits history) = 0;
};

using MakeStoreFactory = std::function<std::unique_ptr<StoreFactory>()>;

// Where a coroutine's result appears when it has ended. A cancelled one that threw: kCancelled.
template <class T>
using Outcome = std::shared_ptr<std::optional<base::Result<T>>>;

class StoreConformance : public testing::TestWithParam<MakeStoreFactory> {
 protected:
  StoreConformance() : factory_(GetParam()()) {}

  void open(HistoryLimits history = {}) { store_ = factory_->open(io_, history); }
  Store& store() { return *store_; }

  template <class T>
  Outcome<T> start(base::Co<T> coroutine, boost::asio::cancellation_signal* signal = nullptr);

  // Runs the loop until the outcome is there, and takes it.
  template <class T>
  base::Result<T> wait(const Outcome<T>& outcome);

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    return wait(start(std::move(coroutine)));
  }

  // Shortcuts that fail the test where the store does.
  Revision put(std::string key, std::string value);
  std::optional<Entry> get(std::string key);
  std::unique_ptr<Watch> watch(Revision after);
  Commit next(Watch& watch);

  // That the next commits are these, without gap; bookmarks between them don't count.
  void expect_commits(Watch& watch, Revision first, Revision last);

  boost::asio::io_context io_;
  std::unique_ptr<StoreFactory> factory_;
  std::unique_ptr<Store> store_;
};

}  // namespace orchion::control::store
