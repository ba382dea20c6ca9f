#pragma once

// For tests: a store in memory and a turned clock under the handlers; no controllers.

#include <deque>
#include <memory>

#include <gtest/gtest.h>

#include "control/services/context.h"
#include "control/store/conformance/test_loop.h"
#include "control/store/memory/memory_store.h"
#include "core/methods.h"

namespace orchion::control::services {

// The caller's end of one rpc, and the server's: what is asked, and what was answered.
template <class Request, class Response>
class CollectedCall final : public core::MessageStream {
 public:
  explicit CollectedCall(std::deque<Request> requests) : requests_(std::move(requests)) {}

  base::Co<std::optional<core::MessagePtr>> receive() override {
    if (requests_.empty()) co_return std::optional<core::MessagePtr>();
    core::MessagePtr next = std::make_unique<Request>(std::move(requests_.front()));
    requests_.pop_front();
    co_return std::optional<core::MessagePtr>(std::move(next));
  }
  base::Co<> send(core::MessagePtr message) override {
    responses.push_back(static_cast<const Response&>(*message));
    co_return base::Result<>{};
  }
  void finish() override {}
  void finish(base::Error) override {}

  std::vector<Response> responses;

 private:
  std::deque<Request> requests_;
};

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

  // The one answer of the rpc of that name.
  template <class Response, class Request>
  base::Result<Response> call(const core::MethodTable& table, const std::string& name, std::deque<Request> requests,
                              core::CallContext call = {}) {
    auto stream = std::make_shared<CollectedCall<Request, Response>>(std::move(requests));
    const auto ended = loop_.run(table.find("orchion.v1." + name)->call(std::move(call), stream));
    if (!ended) return std::unexpected(ended.error());
    EXPECT_EQ(stream->responses.size(), 1u);
    return stream->responses.at(0);
  }

  store::TestLoop loop_;
  base::ManualClock clock_;
  base::Random random_{7};
  store::MemoryStore memory_{loop_.executor(), "e"};
  std::unique_ptr<store::ObjectStore> objects_;
};

}  // namespace orchion::control::services
