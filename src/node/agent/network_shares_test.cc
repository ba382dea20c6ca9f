#include "node/agent/network_shares.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::node::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Network = NetworkShares::Network;

struct Lab {
  std::vector<std::string> told;
  NetworkShares shares{[this](const std::string& uid) { told.push_back(uid); }};
};

TEST(NetworkShares, ANetworkIsAbsentUntilItIsSaidToBeThere) {
  Lab lab;
  EXPECT_EQ(lab.shares.network_of("main"), Network::kAbsent);
  lab.shares.set_network("main", Network::kWired);
  lab.shares.set_network("main", Network::kWired);
  EXPECT_EQ(lab.shares.network_of("main"), Network::kWired);
  EXPECT_THAT(lab.told, ElementsAre("main"));
  lab.shares.set_network("main", Network::kAbsent);
  EXPECT_EQ(lab.shares.network_of("main"), Network::kAbsent);
  EXPECT_THAT(lab.told, ElementsAre("main", "main"));
}

TEST(NetworkShares, ANetworkIsSharedUntilTheLastHasLeft) {
  Lab lab;
  lab.shares.enter("main", "sidecar");
  lab.shares.enter("main", "sidecar");
  lab.shares.enter("main", "second");
  EXPECT_TRUE(lab.shares.is_shared("main"));
  lab.shares.leave("sidecar");
  EXPECT_TRUE(lab.shares.is_shared("main"));
  lab.shares.leave("second");
  EXPECT_FALSE(lab.shares.is_shared("main"));
  EXPECT_THAT(lab.told, ElementsAre("main", "main"));
}

TEST(NetworkShares, WhoNeverEnteredLeavesWithoutAWord) {
  Lab lab;
  lab.shares.leave("nobody");
  EXPECT_FALSE(lab.shares.is_shared("nobody"));
  EXPECT_THAT(lab.told, IsEmpty());
}

// As after a restart of the agent: who shares is known before whose network it is.
TEST(NetworkShares, SharersMayBeKnownBeforeTheNetwork) {
  Lab lab;
  lab.shares.enter("main", "sidecar");
  EXPECT_EQ(lab.shares.network_of("main"), Network::kAbsent);
  lab.shares.set_network("main", Network::kWired);
  lab.shares.set_network("main", Network::kAbsent);
  EXPECT_TRUE(lab.shares.is_shared("main"));
}

}  // namespace
}  // namespace orchion::node::agent
