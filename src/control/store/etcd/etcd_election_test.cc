// Who leads, against a real etcd of three members.

#include "control/store/etcd/etcd_election.h"

#include "control/store/conformance/test_loop.h"
#include "control/store/etcd/etcd_lab.h"
#include "control/store/etcd/etcd_store.h"

namespace orchion::control::store {
namespace {

using base::Code;
using namespace std::chrono_literals;

class EtcdElectionTest : public testing::Test {
 protected:
  // A server on a loop, its own or the test's.
  struct Server {
    Server(TestLoop& the_loop, const std::string& prefix, const std::string& id)
        : loop(the_loop),
          election(loop.executor(),
                   {.access = lab().access(),
                    .prefix = prefix,
                    .id = id,
                    .name = "the " + id,
                    .address = id + ":4603",
                    .lease = 2s},
                   [this] { ++changes; }),
          run(loop.start(election.run())) {}
    ~Server() {
      election.close();
      loop.wait(run);
    }

    TestLoop& loop;
    int changes = 0;
    EtcdElection election;
    Outcome<void> run;
  };

  void wait_until(TestLoop& loop, const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    base::SystemClock clock;
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      loop.run(clock.sleep(20ms)).value();
    }
  }
  std::unique_ptr<EtcdStore> open(const std::string& writer, std::optional<EtcdRevision> fence = std::nullopt) {
    auto opened = loop_.run(EtcdStore::open(
        loop_.executor(),
        {.access = lab().access(), .prefix = prefix_, .writer = writer, .ended = [this](base::Error) { ++ended_; }}));
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    if (fence) (*opened)->fence(*fence);
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
  int ended_ = 0;
  const std::string prefix_ = "/lead/" + std::to_string(++count_);
  static inline int count_ = 0;
};

TEST_F(EtcdElectionTest, OneLeadsAndTheNextFollowsWhenItGivesUp) {
  Server first(loop_, prefix_, "first");
  wait_until(loop_, [&] { return first.election.term().has_value(); });
  const auto term = *first.election.term();
  Server second(loop_, prefix_, "second");
  wait_until(loop_, [&] { return first.election.members().size() == 2 && second.election.members().size() == 2; });
  ASSERT_NE(second.election.leader(), nullptr);
  EXPECT_EQ(*second.election.leader(), (EtcdMember{"first", "the first", "first:4603", true}));
  const int changes = first.changes;
  base::SystemClock clock;
  loop_.run(clock.sleep(5s)).value();  // longer than two leases
  EXPECT_EQ(first.election.term(), term) << "the lease is renewed";
  EXPECT_FALSE(second.election.term());
  EXPECT_EQ(first.changes, changes) << "told of changes alone";

  first.election.close();
  loop_.wait(first.run);
  wait_until(loop_, [&] { return second.election.term().has_value(); });
  EXPECT_GT(*second.election.term(), term) << "terms rise";
}

TEST_F(EtcdElectionTest, WhoGivesUpIsFollowedAtOnce) {
  Server first(loop_, prefix_, "first");
  wait_until(loop_, [&] { return first.election.term().has_value(); });
  Server second(loop_, prefix_, "second");
  wait_until(loop_, [&] { return second.election.members().size() == 2; });
  const auto began = std::chrono::steady_clock::now();
  loop_.run(first.election.release()).value();
  first.election.close();
  wait_until(loop_, [&] { return second.election.term().has_value(); });
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1500ms) << "sooner than its lease ends";
  wait_until(loop_, [&] { return second.election.members().size() == 1; });
}

TEST_F(EtcdElectionTest, WhoStoodStillTooLongLeadsNoMoreAndWritesNothing) {
  auto first = std::make_unique<Server>(loop_, prefix_, "first");
  wait_until(loop_, [&] { return first->election.term().has_value(); });
  const auto store = open("first", first->election.term());
  ASSERT_TRUE(put(*store, "before").has_value());

  TestLoop other;  // the first one's loop stands still from now on
  Server second(other, prefix_, "second");
  const auto began = std::chrono::steady_clock::now();
  wait_until(other, [&] { return second.election.term().has_value(); });
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s + 3s) << "within three seconds of the lease's end";

  const auto late = put(*store, "late");
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::kUnavailable);
  EXPECT_NE(late.error().message.find("leads no more"), std::string::npos) << late.error().message;
  EXPECT_EQ(ended_, 1);
  const auto told = loop_.wait(first->run);
  ASSERT_FALSE(told.has_value());
  EXPECT_NE(told.error().message.find("leads no more"), std::string::npos) << told.error().message;
  const auto next = open("second", second.election.term());
  EXPECT_EQ(loop_.run(next->get("a")).value()->value, "before");
  EXPECT_TRUE(put(*next, "after").has_value());
}

TEST_F(EtcdElectionTest, WhoBeginsAnewWaitsForTheLeaseOfItsFormerLife) {
  auto former = std::make_unique<Server>(loop_, prefix_, "one");
  wait_until(loop_, [&] { return former->election.term().has_value(); });
  const auto term = *former->election.term();
  former.reset();  // without giving up
  Server again(loop_, prefix_, "one");
  wait_until(loop_, [&] { return !again.election.members().empty(); });
  EXPECT_EQ(again.election.leader(), nullptr) << "it doesn't take itself for who leads";
  wait_until(loop_, [&] { return again.election.term().has_value(); });
  EXPECT_GT(*again.election.term(), term);
}

TEST_F(EtcdElectionTest, AnybodyWritesWithoutAFence) {
  Server first(loop_, prefix_, "first");
  wait_until(loop_, [&] { return first.election.term().has_value(); });
  const auto store = open("another");
  EXPECT_TRUE(put(*store, "a user's").has_value());
}

}  // namespace
}  // namespace orchion::control::store
