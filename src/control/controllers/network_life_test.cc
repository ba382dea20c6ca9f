// Networks and who has which address in them, with all controllers running.

#include <gtest/gtest.h>

#include "control/controllers/cluster_fixture_test.h"
#include "control/store/object_store.h"
#include "core/subnet.h"
#include "core/subnet6.h"

namespace orchion::control::controllers {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class NetworkLife : public ClusterFixture {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b"}) add_node(name);
  }

  std::vector<std::string> virtual_addresses(const std::string& service, const std::string& stack = "shop") const {
    std::vector<std::string> all;
    for (const auto& entry : view().services().find(stack, service)->status().virtual_addresses())
      all.push_back(entry.network() + " " + entry.address());
    return all;
  }

  // With the default network this small: five addresses beside the gateway's.
  static v1::StackSpec small(v1::StackSpec stack) {
    auto& network = *stack.add_networks();
    network.set_name("default");
    network.mutable_spec()->set_subnet("10.7.0.0/29");
    return stack;
  }

  static std::function<void(v1::ServiceSpec&)> in(std::vector<std::string> networks) {
    return [networks](v1::ServiceSpec& spec) {
      for (const auto& network : networks) spec.mutable_container()->add_networks()->set_network(network);
    };
  }
};

TEST_F(NetworkLife, EachServiceHasAnAddressOfItsOwnForLife) {
  apply("shop", make_stack({{"web", "app:1", 3}, {"db"}}));
  settle();
  const auto web = virtual_addresses("web"), db = virtual_addresses("db");
  ASSERT_THAT(web, SizeIs(1));
  EXPECT_NE(web, db);
  restart_controllers();
  apply("shop", make_stack({{"web", "app:2", 1}, {"db"}, {"more"}}));
  settle();
  EXPECT_EQ(virtual_addresses("web"), web);
  EXPECT_EQ(virtual_addresses("db"), db);
  EXPECT_THAT(virtual_addresses("more"), SizeIs(1));
  apply("shop", make_stack({{"web", "app:2", 0}, {"db", "app:1", 1, [](v1::ServiceSpec& spec) {
                                                    spec.set_endpoint_mode(v1::TASK_ADDRESSES);
                                                  }}}));
  settle();
  EXPECT_EQ(virtual_addresses("web"), web) << "though no task runs";
  EXPECT_THAT(virtual_addresses("db"), IsEmpty());
}

TEST_F(NetworkLife, ServicesFromBeforeGetTheirs) {
  apply("shop", make_stack({{"web", "app:1", 2}}));
  settle();
  v1::Service service = *view().services().find("shop", "web");
  service.mutable_status()->clear_virtual_addresses();
  // The highest address is a task's, as a former version may have given it.
  v1::Task task = *tasks("web")[0];
  task.mutable_spec()->mutable_assignment()->mutable_addresses(0)->set_address("10.192.15.254");
  restart_controllers({}, [&] {
    store::Transaction transaction;
    store::put_status(transaction, service);
    store::put_spec(transaction, task);
    commit(std::move(transaction));
  });
  settle();
  EXPECT_THAT(virtual_addresses("web"), ElementsAre("default 10.192.15.253"));
}

TEST_F(NetworkLife, ANetworkThatIsNearlyFullHasEachAddressOnce) {
  apply("shop", small(make_stack({{"web", "app:1", 3}, {"db", "app:1", 3}})));
  settle();
  // Two of the five are the services'.
  EXPECT_EQ(running("web").size() + running("db").size(), 3u);
  EXPECT_THAT(message("web") + message("db"),
              HasSubstr("network default has no free address in 10.7.0.0/29: take something out of it"));
  apply("shop", small(make_stack({{"web", "app:1", 2}})));
  settle();
  EXPECT_THAT(running("web"), SizeIs(2));
  EXPECT_EQ(message("web"), "");
}

TEST_F(NetworkLife, AServiceWithoutAnAddressGetsTheFirstThatIsFree) {
  apply("shop", small(make_stack({{"web", "app:1", 4}})));
  settle();
  EXPECT_THAT(running("web"), SizeIs(4));
  apply("shop", small(make_stack({{"web", "app:1", 4}, {"late", "app:1", 0}})));
  settle();
  EXPECT_THAT(virtual_addresses("late"), IsEmpty());
  EXPECT_THAT(message("late"), HasSubstr("has no address of its own in network default"));
  apply("shop", small(make_stack({{"web", "app:1", 3}, {"late", "app:1", 0}})));
  settle();
  EXPECT_THAT(virtual_addresses("late"), SizeIs(1));
  EXPECT_EQ(message("late"), "");
  apply("shop", small(make_stack({{"web", "app:1", 3}, {"late", "app:1", 0}, {"last", "app:1", 0}})));
  settle();
  EXPECT_THAT(virtual_addresses("last"), IsEmpty());
  apply("shop", small(make_stack({{"web", "app:1", 3}, {"last", "app:1", 0}})));
  settle();
  EXPECT_THAT(virtual_addresses("last"), SizeIs(1)) << "it gets that of the service which went";
  apply("shop", small(make_stack({{"web", "app:1", 4}})));
  settle();
  EXPECT_THAT(running("web"), SizeIs(4)) << "a task that waits gets it likewise";
}

TEST_F(NetworkLife, AServiceThatLeavesANetworkGivesItsAddressBack) {
  v1::StackSpec stack = make_stack({{"web", "app:1", 2, in({"front", "back"})}});
  stack.add_networks()->set_name("front");
  stack.add_networks()->set_name("back");
  apply("shop", stack);
  settle();
  EXPECT_THAT(virtual_addresses("web"), ElementsAre("front 10.192.31.254", "back 10.192.15.254"));
  v1::StackSpec after = make_stack({{"web", "app:1", 2, in({"front"})}});
  after.add_networks()->set_name("front");
  apply("shop", after);
  settle();
  EXPECT_THAT(virtual_addresses("web"), ElementsAre("front 10.192.31.254"));
  EXPECT_THAT(running("web"), SizeIs(2));
  EXPECT_FALSE(view().networks().find("shop", "back")) << "nothing holds it any more";
}

TEST_F(NetworkLife, IPv6GoesWithTheIPv4Addresses) {
  v1::StackSpec stack = make_stack({{"web", "app:1", 2}});
  auto& network = *stack.add_networks();
  network.set_name("default");
  network.mutable_spec()->set_enable_ipv6(true);
  network.mutable_spec()->set_subnet("10.7.0.0/24");
  network.mutable_spec()->set_gateway("10.7.0.254");
  apply("shop", stack);
  settle();
  const auto& status = view().networks().find("shop", "default")->status();
  const auto subnet = core::parse_subnet6(status.subnet6());
  ASSERT_TRUE(subnet);
  EXPECT_EQ(status.gateway6(), core::format_ipv6(subnet->of(0x0a0700fe)));
  const auto first = tasks("web")[0]->spec().assignment().addresses(0);
  EXPECT_EQ(first.address6(), core::format_ipv6(subnet->of(*core::parse_ipv4(first.address()))));
  const auto& own = service_status("web").virtual_addresses(0);
  EXPECT_EQ(own.address(), "10.7.0.253") << "not the gateway's";
  EXPECT_EQ(own.address6(), core::format_ipv6(subnet->of(*core::parse_ipv4(own.address()))));
}

TEST_F(NetworkLife, AnotherStacksNetworkStaysWhileItIsUsed) {
  apply("shop", make_stack({{"web", "app:1", 2, in({"default", "infra/shared"})}}));
  settle();
  EXPECT_THAT(running("web"), IsEmpty());
  EXPECT_EQ(message("web"),
            "waits for network infra/shared, which does not exist: see `orchion network ls`, or make it with `orchion "
            "network create infra/shared`");
  v1::StackSpec infra = make_stack({{"proxy", "app:1", 1, in({"shared"})}});
  infra.add_networks()->set_name("shared");
  apply("infra", infra);
  settle();
  EXPECT_THAT(running("web"), SizeIs(2));
  ASSERT_EQ(service_status("web").virtual_addresses_size(), 2);
  EXPECT_EQ(service_status("web").virtual_addresses(1).network(), "infra/shared");
  EXPECT_EQ(tasks("web")[0]->spec().assignment().addresses(1).network(), "infra/shared");

  remove_stack("infra");
  settle();
  ASSERT_TRUE(view().networks().find("infra", "shared"));
  EXPECT_EQ(view().stacks().find("infra")->status().message(),
            "shared: is still used by shop/web: remove what uses it, or take that out of the network");
  EXPECT_THAT(running("web"), SizeIs(2)) << "nothing is taken away from under them";

  apply("shop", make_stack({{"web", "app:1", 0, in({"default", "infra/shared"})}}));
  settle();
  EXPECT_TRUE(view().networks().find("infra", "shared")) << "it is still to be in it";
  apply("shop", make_stack({{"web", "app:1", 1}}));
  settle();
  EXPECT_FALSE(view().networks().find("infra", "shared"));
  EXPECT_FALSE(view().stacks().find("infra"));
  EXPECT_THAT(running("web"), SizeIs(1));
}

TEST_F(NetworkLife, AnAddressThatWasRefusedCanBeChosenAnew) {
  apply("shop", make_stack({{"web"}}));
  const auto blog = [](const std::string& subnet) {
    v1::StackSpec stack = make_stack({{"web"}});
    stack.add_networks()->set_name("default");
    stack.mutable_networks(0)->mutable_spec()->set_subnet(subnet);
    return stack;
  };
  settle();
  apply("blog", blog("10.192.0.0/16"));
  settle();
  EXPECT_THAT(view().networks().find("blog", "default")->status().message(), HasSubstr("choose another"));
  apply("blog", blog("10.7.0.0/16"));
  settle();
  EXPECT_EQ(view().networks().find("blog", "default")->status().subnet(), "10.7.0.0/16");
  apply("blog", blog("10.8.0.0/16"));
  settle();
  EXPECT_EQ(view().networks().find("blog", "default")->spec().subnet(), "10.7.0.0/16") << "from now on it holds";
}

}  // namespace
}  // namespace orchion::control::controllers
