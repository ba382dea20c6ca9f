#pragma once

// For tests: a store in memory and a turned clock under the handlers; no controllers.

#include <memory>

#include <gtest/gtest.h>

#include "control/services/context.h"
#include "control/store/conformance/test_loop.h"
#include "control/store/memory/memory_store.h"

namespace orchion::control::services {

class ServicesFixture : public testing::Test {
 protected:
  ServicesFixture() { start(); }
  ~ServicesFixture() override { stop(); }

  // Another life of the server over the same store.
  void start() {
    objects_ = std::make_unique<store::ObjectStore>(loop_.executor(), memory_);
    EXPECT_TRUE(loop_.run(objects_->start()));
  }
  void stop() {
    if (!objects_) return;
    EXPECT_TRUE(loop_.run(objects_->shutdown()));
    loop_.poll();
    objects_.reset();
  }

  ServiceContext context() { return {loop_.executor(), *objects_, clock_, random_}; }
  const store::View& view() const { return objects_->view(); }

  void commit(store::Transaction transaction) {
    const auto committed = loop_.run(objects_->commit(std::move(transaction)));
    ASSERT_TRUE(committed) << committed.error().message;
  }

  store::TestLoop loop_;
  base::ManualClock clock_;
  base::Random random_{7};
  store::MemoryStore memory_{loop_.executor(), "e"};
  std::unique_ptr<store::ObjectStore> objects_;
};

}  // namespace orchion::control::services
