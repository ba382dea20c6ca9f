// Services in the network of another service, with all controllers running.

#include <gtest/gtest.h>

#include "control/controllers/cluster_fixture_test.h"

namespace orchion::control::controllers {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// In the network of "web".
void share(v1::ServiceSpec& spec) {
  spec.mutable_container()->set_network_mode(v1::OF_SERVICE);
  spec.mutable_container()->set_network_service("web");
}

class SharedNetworkLife : public ClusterFixture {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b", "c"}) add_node(name);
  }

  // Each sidecar beside its own task of "web", with its addresses.
  void expect_pairs(std::size_t count) const {
    const auto owners = running("web"), sharers = running("sidecar");
    ASSERT_THAT(owners, SizeIs(count));
    ASSERT_THAT(sharers, SizeIs(count));
    for (const auto& sharer : sharers) {
      const auto& place = sharer->spec().assignment();
      const auto owner = view().tasks().find_uid(place.network_of());
      ASSERT_NE(owner, nullptr) << sharer->meta().name();
      EXPECT_EQ(owner->spec().slot(), sharer->spec().slot());
      EXPECT_EQ(owner->spec().assignment().node(), place.node());
      ASSERT_THAT(place.addresses(), SizeIs(1));
      EXPECT_EQ(owner->spec().assignment().addresses(0).address(), place.addresses(0).address());
    }
  }
};

TEST_F(SharedNetworkLife, EachTaskIsWhereTheOneIsWhoseNetworkItShares) {
  apply("shop", make_stack({{"sidecar", "app:1", 3, share}, {"web", "app:1", 3}}));
  settle();
  expect_pairs(3);
  EXPECT_EQ(per_node("sidecar"), per_node("web"));
  EXPECT_THAT(view().services().find("shop", "sidecar")->status().virtual_addresses(), IsEmpty());
  // Nothing was taken from the network for it: it goes with its stack.
  remove_stack("shop");
  settle();
  EXPECT_THAT(view().networks().all(), IsEmpty());
}

TEST_F(SharedNetworkLife, AnUpdateOfTheOneReplacesTheOtherToo) {
  apply("shop", make_stack({{"web", "app:1", 2}, {"sidecar", "app:1", 2, share}}));
  settle();
  const auto former = tasks("sidecar");
  apply("shop", make_stack({{"web", "app:2", 2}, {"sidecar", "app:1", 2, share}}));
  settle();
  expect_pairs(2);
  for (const auto& task : tasks("sidecar"))
    for (const auto& old : former) EXPECT_NE(task->meta().uid(), old->meta().uid());
  EXPECT_EQ(running("web")[0]->spec().revision(), service_status("web").revision());
}

TEST_F(SharedNetworkLife, AnUpdateOfTheOtherLeavesTheOneAlone) {
  apply("shop", make_stack({{"web", "app:1", 2}, {"sidecar", "app:1", 2, share}}));
  settle();
  const auto owner = running("web")[0]->meta().uid();
  apply("shop", make_stack({{"web", "app:1", 2}, {"sidecar", "app:2", 2, share}}));
  settle();
  expect_pairs(2);
  EXPECT_EQ(running("web")[0]->meta().uid(), owner);
}

TEST_F(SharedNetworkLife, ScalingTakesBothAway) {
  apply("shop", make_stack({{"web", "app:1", 3}, {"sidecar", "app:1", 3, share}}));
  settle();
  const auto kept = running("sidecar")[0]->meta().uid();
  apply("shop", make_stack({{"web", "app:1", 1}, {"sidecar", "app:1", 1, share}}));
  settle();
  expect_pairs(1);
  EXPECT_EQ(running("sidecar")[0]->meta().uid(), kept);
  apply("shop", make_stack({{"web", "app:1", 3}, {"sidecar", "app:1", 2, share}}));
  settle();
  EXPECT_THAT(running("web"), SizeIs(3));
  EXPECT_THAT(running("sidecar"), SizeIs(2));
}

TEST_F(SharedNetworkLife, ItWaitsUntilTheOtherHasAPlace) {
  const auto large = [](v1::ServiceSpec& spec) {
    spec.mutable_container()->mutable_reservations()->set_memory_bytes(std::int64_t{16} << 30);
  };
  apply("shop", make_stack({{"web", "app:1", 1}, {"sidecar", "app:1", 1, share}}));
  settle();
  // The next one finds no room.
  apply("shop", make_stack({{"web", "app:1", 1, large}, {"sidecar", "app:1", 1, share}}));
  settle();
  EXPECT_THAT(running("web"), IsEmpty());
  EXPECT_THAT(running("sidecar"), IsEmpty());
  EXPECT_EQ(message("sidecar"), "sidecar.1 has no place: waits for web.1, whose network it shares, to have a place");
  add_node("large", {4, 32});
  settle();
  expect_pairs(1);
  EXPECT_EQ(message("sidecar"), "");
}

TEST_F(SharedNetworkLife, WhereTheNodeIsFullItSaysWhich) {
  const auto large = [](v1::ServiceSpec& spec) {
    share(spec);
    spec.mutable_container()->mutable_reservations()->set_memory_bytes(std::int64_t{16} << 30);
  };
  apply("shop", make_stack({{"web"}, {"sidecar", "app:1", 1, large}}));
  settle();
  const auto node = running("web")[0]->spec().assignment().node();
  EXPECT_THAT(message("sidecar"), HasSubstr("has to be on node " + node + ", with web.1, whose network it shares: "));
  EXPECT_THAT(message("sidecar"), HasSubstr("1 lacks memory"));
}

TEST_F(SharedNetworkLife, BothLeaveANodeThatIsDrained) {
  apply("shop", make_stack({{"web", "app:1", 3}, {"sidecar", "app:1", 3, share}}));
  settle();
  change_node("a", [](v1::Node& node) { node.mutable_spec()->set_availability(v1::NodeSpec::DRAINED); });
  settle();
  expect_pairs(3);
  EXPECT_EQ(per_node("sidecar").count("a"), 0u);
}

TEST_F(SharedNetworkLife, BothAreReplacedWhenTheirNodeIsLost) {
  apply("shop", make_stack({{"web", "app:1", 3}, {"sidecar", "app:1", 3, share}}));
  settle();
  silence("a");
  advance(std::chrono::seconds(120));
  settle();
  expect_pairs(3);
  EXPECT_EQ(per_node("sidecar").count("a"), 0u);
}

TEST_F(SharedNetworkLife, ItGoesOnWithTheOneThatComesAfterAFailure) {
  apply("shop", make_stack({{"web"}, {"sidecar", "app:1", 1, share}}));
  settle();
  const auto former = running("sidecar")[0]->meta().uid();
  v1::Task failed = *running("web")[0];
  failed.mutable_status()->set_state(v1::FAILED);
  store::Transaction transaction;
  store::put_status(transaction, failed);
  commit(std::move(transaction));
  settle();
  advance(std::chrono::seconds(30));
  settle();
  expect_pairs(1);
  EXPECT_NE(running("sidecar")[0]->meta().uid(), former);
  EXPECT_GE(count_reason("TaskMoves"), 1);
}

TEST_F(SharedNetworkLife, ANewServerFindsThemAsTheyAre) {
  apply("shop", make_stack({{"web", "app:1", 2}, {"sidecar", "app:1", 2, share}}));
  settle();
  const auto before = running("sidecar")[0]->meta().uid();
  restart_controllers();
  settle();
  expect_pairs(2);
  EXPECT_EQ(running("sidecar")[0]->meta().uid(), before);
}

// An update that is the first to share replaces one by one, and so does the last.
TEST_F(SharedNetworkLife, ItMayBeginAndEndWithSharing) {
  apply("shop", make_stack({{"web", "app:1", 2}, {"sidecar", "app:1", 2}}));
  settle();
  apply("shop", make_stack({{"web", "app:1", 2}, {"sidecar", "app:1", 2, share}}));
  settle();
  expect_pairs(2);
  apply("shop", make_stack({{"web", "app:1", 2}, {"sidecar", "app:1", 2}}));
  settle();
  for (const auto& task : running("sidecar")) EXPECT_EQ(task->spec().assignment().network_of(), "");
  EXPECT_THAT(running("sidecar"), SizeIs(2));
}

}  // namespace
}  // namespace orchion::control::controllers
