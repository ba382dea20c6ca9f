#include "node/agent/mesh_keeper.h"

#include <set>

#include <gtest/gtest.h>

#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

using std::chrono::seconds;

// Keys in memory.
class TestKeys final : public networks::MeshKeys {
 public:
  explicit TestKeys(base::Clock& clock) : clock_(clock), made_(clock.wall()) {}

  std::string engine() const override { return "kernel"; }
  std::uint16_t port() const override { return 4604; }
  std::string public_key() const override { return "key-" + std::to_string(used_); }
  base::Result<base::WallTime> made_at() const override { return made_; }
  base::Result<std::string> make_next() override { return "key-" + std::to_string(++newest_); }
  base::Result<> use_next() override {
    used_ = newest_;
    made_ = clock_.wall();
    return {};
  }

 private:
  base::Clock& clock_;
  base::WallTime made_;
  int used_ = 1;
  int newest_ = 1;
};

class MeshKeeperTest : public AgentLab {
 protected:
  MeshKeeperTest() {
    options.address = [] { return "192.0.2.1"; };
    options.mesh_key_lifetime = seconds(60);
    mesh_keys = &keys_;
    server.full = assignments({});
  }

  TestKeys keys_{clock};
};

TEST_F(MeshKeeperTest, ANodeSaysHowItIsReached) {
  start_agent();
  ASSERT_EQ(server.hellos.size(), 1u);
  EXPECT_EQ(server.hellos[0].mesh().public_key(), "key-1");
  EXPECT_EQ(server.hellos[0].mesh().endpoint(), "192.0.2.1:4604");
  EXPECT_EQ(server.hellos[0].mesh().engine(), "kernel");
}

TEST_F(MeshKeeperTest, AKeyIsToldBeforeItIsUsed) {
  start_agent();
  advance(seconds(52));
  EXPECT_TRUE(server.meshes.empty());
  server.answers_heartbeats = false;
  advance(seconds(10));
  ASSERT_EQ(server.meshes.size(), 1u);
  EXPECT_EQ(server.meshes[0].public_key(), "key-2");
  EXPECT_EQ(keys_.public_key(), "key-1") << "nobody has answered yet";
}

TEST_F(MeshKeeperTest, AnAnswerToLaterWordsHasItUsed) {
  start_agent();
  advance(seconds(75));
  ASSERT_EQ(server.meshes.size(), 1u);
  EXPECT_EQ(keys_.public_key(), "key-2");
  advance(seconds(70));
  EXPECT_EQ(keys_.public_key(), "key-3");
}

TEST_F(MeshKeeperTest, AKeyThatNotAllAreToldIsNotUsed) {
  server.tells_keys = false;
  start_agent();
  advance(std::chrono::minutes(6));
  EXPECT_EQ(server.meshes.size(), 1u);
  EXPECT_EQ(keys_.public_key(), "key-1");
  server.tells_keys = true;
  advance(seconds(6));
  EXPECT_EQ(server.meshes.size(), 1u);
  EXPECT_EQ(keys_.public_key(), "key-2");
}

TEST_F(MeshKeeperTest, NodesChangeAtTimesOfTheirOwn) {
  start_agent();
  std::set<base::Duration> lives;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto made = keys_.made_at().value();
    while (server.meshes.size() == i) advance(seconds(1));
    lives.insert(clock.wall() - made);
    while (keys_.made_at().value() == made) advance(seconds(1));
  }
  EXPECT_GE(*lives.begin(), seconds(52));
  EXPECT_LE(*lives.rbegin(), seconds(62));
  EXPECT_GE(lives.size(), 4u);
}

TEST_F(MeshKeeperTest, ASessionThatEndsTakesTheNextKeyBack) {
  start_agent();
  advance(seconds(52));
  server.answers_heartbeats = false;
  advance(seconds(10));
  ASSERT_EQ(server.meshes.size(), 1u);
  server.hang_up();
  advance(seconds(1));
  EXPECT_EQ(server.hellos.back().mesh().public_key(), "key-1");
  EXPECT_EQ(keys_.public_key(), "key-1");
}

TEST_F(MeshKeeperTest, WithoutAControlPlaneNoKeyIsMade) {
  start_agent();
  server.away = true;
  server.hang_up();
  advance(seconds(300));
  EXPECT_EQ(keys_.make_next().value(), "key-2") << "none was made before";
}

}  // namespace
}  // namespace orchion::node::agent
