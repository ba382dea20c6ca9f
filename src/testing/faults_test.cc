// Random faults from a seed. ORCHION_SEEDS=N tries the seeds 1 to N.

#include <cstdlib>

#include <gmock/gmock.h>

#include "testing/cluster.h"
#include "testing/stacks.h"

namespace orchion::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;

constexpr int kMachines = 7;
constexpr int kFaults = 25;

// At most this many are away at once, so that no loss is taken for the control plane's own.
constexpr int kAwayMax = 2;

int seeds() {
  const char* wanted = std::getenv("ORCHION_SEEDS");
  return wanted == nullptr ? 20 : std::max(1, std::atoi(wanted));
}

// Brings a stack up, then plays a game against it that is all in the seed.
class Game {
 public:
  explicit Game(std::uint64_t seed) : random_(seed), cluster_(kMachines, seed) {}

  void play() {
    apply("app:1");
    cluster_.advance(milliseconds(random_.below(3000)));
    for (int i = 0; i < kFaults && cluster_.report().empty(); ++i) {
      one_fault();
      cluster_.advance(milliseconds(random_.below(8000)));
    }
    mend_everything();
    cluster_.advance(seconds(120));  // the longest back-off
    cluster_.quiet();
  }

  void remove_all() {
    v1::DeleteStackRequest request;
    request.set_name("shop");
    auto deleted = cluster_.call<v1::Stack>("orchion.v1.StackService.DeleteStack", request);
    ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
    cluster_.quiet();
    EXPECT_THAT(cluster_.view().tasks().all(), IsEmpty());
    EXPECT_THAT(cluster_.view().stacks().all(), IsEmpty());
    EXPECT_THAT(cluster_.leftovers(), IsEmpty());
  }

  Cluster& cluster() { return cluster_; }

 private:
  int any_machine() { return static_cast<int>(random_.below(kMachines)); }

  bool is_away(int machine) {
    return !cluster_.machine(machine).has_agent() || !cluster_.machine(machine).link.connected();
  }

  int count_away() {
    int away = 0;
    for (int i = 0; i < kMachines; ++i) away += is_away(i) ? 1 : 0;
    return away;
  }

  void apply(const std::string& image) {
    const auto replicas = static_cast<std::uint32_t>(20 * (1 + random_.below(2)));
    auto request = shop(replicas, image);
    if (random_.below(2) == 0) *request.mutable_spec()->add_services() = service("extra", 2, image);
    add_tight_network(request);
    auto applied = cluster_.call<v1::ApplyStackResponse>("orchion.v1.StackService.ApplyStack", request);
    EXPECT_TRUE(applied.has_value()) << applied.error().message;
  }

  // Room for all, but not for all that is left on machines that are away.
  static void add_tight_network(v1::ApplyStackRequest& request) {
    auto& network = *request.mutable_spec()->add_networks();
    network.set_name("default");
    network.mutable_spec()->set_subnet("10.9.0.0/26");
    network.mutable_spec()->set_enable_ipv6(true);
  }

  void one_fault() {
    const int machine = any_machine();
    if (is_away(machine)) return bring_back(machine);
    switch (random_.below(8)) {
      case 0:
        if (count_away() < kAwayMax) cluster_.kill_agent(machine);
        return;
      case 1:
        if (count_away() < kAwayMax) cluster_.cut_link(machine);
        return;
      case 2:
        if (count_away() < kAwayMax) cluster_.lose_power(machine);
        return;
      case 3: return cluster_.restart_server();
      case 4:  // Only an agent's process ends: the next one begins at once.
        cluster_.kill_agent(machine);
        return cluster_.start_agent(machine);
      case 5: return apply(random_.below(2) == 0 ? "app:1" : "app:2");
      case 6:
        if (count_away() > 0) return cluster_.advance(seconds(40));
        [[fallthrough]];
      default: return crash_one(machine);
    }
  }

  void crash_one(int machine) {
    const auto running = cluster_.running_on(machine);
    if (!running.empty()) cluster_.crash_container(machine, running[random_.below(running.size())]);
  }

  void bring_back(int machine) {
    if (!cluster_.machine(machine).has_agent()) cluster_.start_agent(machine);
    if (!cluster_.machine(machine).link.connected()) cluster_.mend_link(machine);
  }

  void mend_everything() {
    for (int i = 0; i < kMachines; ++i)
      if (is_away(i)) bring_back(i);
  }

  base::Random random_;
  Cluster cluster_;
};

TEST(Faults, NoSeedBreaksWhatMustHold) {
  for (int seed = 1; seed <= seeds(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Game game(static_cast<std::uint64_t>(seed));
    game.play();
    game.remove_all();
    ASSERT_EQ(game.cluster().report(), "");
  }
}

TEST(Faults, TheSameSeedGivesTheSameRun) {
  Game one(42), same(42), other(43);
  one.play();
  same.play();
  other.play();
  EXPECT_EQ(one.cluster().history().commits(), same.cluster().history().commits());
  EXPECT_EQ(one.cluster().history().hash(), same.cluster().history().hash());
  EXPECT_NE(one.cluster().history().hash(), other.cluster().history().hash());
}

}  // namespace
}  // namespace orchion::testing
