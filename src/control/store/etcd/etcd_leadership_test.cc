// Who leads, against a real etcd of three members.

#include "control/store/etcd/etcd_leadership.h"

#include "control/store/conformance/test_loop.h"
#include "control/store/etcd/etcd_lab.h"
#include "control/store/etcd/etcd_store.h"

namespace orchion::control::store {
namespace {

using base::Code;
using namespace std::chrono_literals;

class EtcdLeadershipTest : public testing::Test {
 protected:
  std::unique_ptr<EtcdLeadership> candidate(const std::string& name) {
    return std::make_unique<EtcdLeadership>(
        loop_.executor(), LeadershipOptions{.access = lab().access(), .prefix = prefix_, .name = name, .lease = 2s});
  }
  std::unique_ptr<EtcdStore> open(const std::string& writer, std::optional<EtcdRevision> fence) {
    auto opened = loop_.run(EtcdStore::open(
        loop_.executor(), {.access = lab().access(), .prefix = prefix_, .writer = writer, .fence = fence}));
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return std::move(*opened);
  }
  base::Result<Revision> put(Store& store, const std::string& value) {
    Transaction transaction;
    transaction.put("a", value);
    return loop_.run(store.commit(std::move(transaction)));
  }
  static EtcdLab& lab() {
    static EtcdLab shared;
    return shared;
  }

  TestLoop loop_;
  const std::string prefix_ = "/lead/" + std::to_string(++count_);
  static inline int count_ = 0;
};

TEST_F(EtcdLeadershipTest, OneLeadsAndTheNextFollowsWhenItGivesUp) {
  const auto first = candidate("first");
  const auto fence = loop_.run(first->acquire());
  ASSERT_TRUE(fence.has_value()) << fence.error().message;
  const auto second = candidate("second");
  const auto waiting = loop_.start(second->acquire());
  const auto holding = loop_.start(first->hold());
  base::SystemClock clock;
  loop_.run(clock.sleep(5s)).value();  // longer than two leases
  EXPECT_FALSE(waiting->has_value()) << "the lease is renewed";
  EXPECT_FALSE(holding->has_value());
  loop_.run(first->release()).value();
  const auto next = loop_.wait(waiting);
  ASSERT_TRUE(next.has_value()) << next.error().message;
  EXPECT_GT(*next, *fence) << "terms rise";
  first->close();
  EXPECT_FALSE(loop_.wait(holding).has_value());
}

TEST_F(EtcdLeadershipTest, WhoStoodStillTooLongLeadsNoMoreAndWritesNothing) {
  const auto first = candidate("first");
  const auto store = open("first", loop_.run(first->acquire()).value());
  ASSERT_TRUE(put(*store, "before").has_value());

  TestLoop other;
  EtcdLeadership second(other.executor(), {.access = lab().access(), .prefix = prefix_, .name = "second", .lease = 2s});
  const auto began = std::chrono::steady_clock::now();
  const auto fence = other.run(second.acquire());
  ASSERT_TRUE(fence.has_value()) << fence.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s + 3s) << "within three seconds of the lease's end";

  const auto late = put(*store, "late");
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::kUnavailable);
  EXPECT_NE(late.error().message.find("leads no more"), std::string::npos) << late.error().message;
  EXPECT_FALSE(loop_.run(first->hold()).has_value()) << "by its own clock, too";
  const auto next = open("second", *fence);
  EXPECT_EQ(loop_.run(next->get("a")).value()->value, "before");
  EXPECT_TRUE(put(*next, "after").has_value());
}

TEST_F(EtcdLeadershipTest, WhoEndsWhileItWaitsWaitsNoMore) {
  const auto first = candidate("first");
  loop_.run(first->acquire()).value();
  const auto second = candidate("second");
  const auto waiting = loop_.start(second->acquire());
  base::SystemClock clock;
  loop_.run(clock.sleep(100ms)).value();
  second->close();
  EXPECT_EQ(loop_.wait(waiting).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace orchion::control::store
