#include "node/agent/policy_table.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace orchion::node::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr base::Time kStart{};

class PolicyTableTest : public testing::Test {
 protected:
  void policy(const std::string& stack, const std::string& name, const std::string& spec) {
    for (int i = 0; i < policies_.policies_size(); ++i)
      if (policies_.policies(i).stack() == stack && policies_.policies(i).name() == name)
        policies_.mutable_policies()->DeleteSubrange(i--, 1);
    auto& out = *policies_.add_policies();
    out.set_stack(stack);
    out.set_name(name);
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(spec, out.mutable_spec())) << spec;
    table_.set_policies(policies_);
  }

  void task(const std::string& uid, const std::string& service, const std::string& address, bool here = true,
            const std::string& stack = "shop", const std::string& network = "net") {
    v1::Endpoint endpoint;
    endpoint.set_task_uid(uid);
    endpoint.set_network_uid(network);
    endpoint.set_stack(stack);
    endpoint.set_service(service);
    endpoint.set_address(address);
    table_.put_endpoint(endpoint);
    if (here) table_.hold(uid);
  }

  void network(const std::string& uid, const std::string& subnet) {
    v1::NetworkAssignment network;
    network.set_uid(uid);
    network.set_subnet(subnet);
    table_.put_network(network);
  }

  // The only group there is, of those that were told.
  networks::PolicyGroup group() {
    table_.update();
    EXPECT_THAT(table_.result().groups, SizeIs(1));
    return table_.result().groups.empty() ? networks::PolicyGroup() : table_.result().groups.begin()->second;
  }

  v1::PolicyAssignments policies_;
  PolicyTable table_;
};

TEST_F(PolicyTableTest, NothingIsSaidOfTasksThatNoPolicyIsAbout) {
  task("w", "web", "10.0.0.2");
  policy("shop", "db-only", R"(service: "db" ingress: true)");
  EXPECT_FALSE(table_.update());
  task("d", "db", "10.0.0.3", false);
  EXPECT_FALSE(table_.update()) << "of another node";
  table_.hold("d");
  EXPECT_TRUE(table_.update());
  ASSERT_THAT(table_.result().tasks, SizeIs(1));
  const auto& told = table_.result().tasks.at("d");
  EXPECT_THAT(told.addresses, ElementsAre("10.0.0.3"));
  EXPECT_EQ(told.ingress, "ingress shop/db-only");
  EXPECT_EQ(told.egress, std::nullopt);
  EXPECT_THAT(table_.result().groups.at("ingress shop/db-only").allows, IsEmpty());
  EXPECT_FALSE(table_.update());
}

TEST_F(PolicyTableTest, PeersComeAndGoByTheirAddresses) {
  policy("shop", "db-only", R"(service: "db" ingress: true
      from { peers { service: "web" } peers { stack: "edge" } ports { protocol: "tcp" port: 5432 } })");
  task("d", "db", "10.0.0.3");
  task("w", "web", "10.0.0.2");
  auto allows = group().allows;
  ASSERT_THAT(allows, SizeIs(1));
  EXPECT_THAT(allows[0].addresses, ElementsAre("10.0.0.2"));
  EXPECT_THAT(allows[0].ports, ElementsAre(networks::PolicyPorts{true, false, 5432, 5432}));

  task("x", "any", "10.1.0.9", false, "edge");
  task("y", "other", "10.0.0.7");
  const auto tasks = table_.result().tasks;
  EXPECT_THAT(group().allows[0].addresses, UnorderedElementsAre("10.0.0.2", "10.1.0.9"));
  EXPECT_EQ(table_.result().tasks, tasks) << "only who may come in differs";
  table_.remove_endpoint("w", "net");
  table_.remove_endpoint("x", "net");
  EXPECT_THAT(group().allows[0].addresses, IsEmpty());
  table_.release("d");
  EXPECT_TRUE(table_.update());
  EXPECT_EQ(table_.result(), networks::Policies());
}

TEST_F(PolicyTableTest, ATaskInTwoNetworksIsMeantInBoth) {
  policy("shop", "p", R"(service: "db" ingress: true from { peers { service: "web" } })");
  task("d", "db", "10.0.0.3");
  task("d", "db", "10.5.0.3", true, "shop", "back");
  task("w", "web", "10.0.0.2");
  task("w", "web", "10.5.0.2", true, "shop", "back");
  EXPECT_THAT(group().allows[0].addresses, ElementsAre("10.0.0.2", "10.5.0.2"));
  EXPECT_THAT(table_.result().tasks.at("d").addresses, UnorderedElementsAre("10.0.0.3", "10.5.0.3"));
  table_.remove_endpoint("w", "back");
  EXPECT_THAT(group().allows[0].addresses, ElementsAre("10.0.0.2"));
}

TEST_F(PolicyTableTest, TasksUnderTheSamePoliciesShareAGroup) {
  policy("shop", "default", "ingress: true egress: true");
  policy("shop", "web", R"(service: "web" ingress: true from { })");
  for (int i = 0; i < 10; ++i) task("w" + std::to_string(i), "web", "10.0.0." + std::to_string(10 + i));
  task("d", "db", "10.0.0.2");
  table_.update();
  EXPECT_THAT(table_.result().groups, SizeIs(3));
  EXPECT_EQ(table_.result().tasks.at("w3").ingress, "ingress shop/default shop/web");
  EXPECT_EQ(table_.result().tasks.at("w3").egress, "egress shop/default");
  EXPECT_EQ(table_.result().tasks.at("d").ingress, "ingress shop/default");
  const auto& allows = table_.result().groups.at("ingress shop/default shop/web").allows;
  ASSERT_THAT(allows, SizeIs(1));
  EXPECT_TRUE(allows[0].anybody);
  task("w99", "web", "10.0.0.99");
  const auto before = table_.result();
  EXPECT_TRUE(table_.update());
  EXPECT_THAT(table_.result().tasks, SizeIs(before.tasks.size() + 1));
  EXPECT_EQ(table_.result().groups, before.groups);
}

TEST_F(PolicyTableTest, LabelsDecideAndMayChange) {
  policy("shop", "p", R"(labels { key: "tier" value: "back" } ingress: true
                         from { peers { labels { key: "team" value: "ops" } } })");
  v1::Endpoint endpoint;
  endpoint.set_task_uid("d");
  endpoint.set_network_uid("net");
  endpoint.set_stack("shop");
  endpoint.set_service("db");
  endpoint.set_address("10.0.0.3");
  table_.put_endpoint(endpoint);
  table_.hold("d");
  EXPECT_FALSE(table_.update());
  (*endpoint.mutable_labels())["tier"] = "back";
  (*endpoint.mutable_labels())["team"] = "ops";
  table_.put_endpoint(endpoint);
  EXPECT_THAT(group().allows[0].addresses, ElementsAre("10.0.0.3"));
  endpoint.mutable_labels()->erase("team");
  table_.put_endpoint(endpoint);
  EXPECT_THAT(group().allows[0].addresses, IsEmpty());
}

TEST_F(PolicyTableTest, RangesNeverMeanTasks) {
  network("net", "10.0.0.0/20");
  policy("shop", "out", R"(egress: true to { peers { address_range: "10.0.0.0/8" except: "10.9.0.0/16" }
                                             peers { service: "db" } })");
  task("w", "web", "10.0.0.2");
  task("d", "db", "10.0.0.3", false);
  auto allows = group().allows;
  ASSERT_THAT(allows, SizeIs(2));
  EXPECT_THAT(allows[0].addresses, ElementsAre("10.0.0.3"));
  EXPECT_THAT(allows[1].ranges, ElementsAre("10.0.0.0/8"));
  EXPECT_THAT(allows[1].except, ElementsAre("10.9.0.0/16", "10.0.0.0/20"));
  network("back", "10.9.16.0/20");
  EXPECT_THAT(group().allows[1].except, ElementsAre("10.9.0.0/16", "10.0.0.0/20")) << "none within another";
  network("far", "172.16.0.0/20");
  table_.remove_network("net");
  EXPECT_THAT(group().allows[1].except, ElementsAre("10.9.0.0/16"));
}

TEST_F(PolicyTableTest, NamesAreLearnedForAWhile) {
  network("net", "10.0.0.0/20");
  policy("shop", "out", R"(egress: true to { peers { name: "*.example.com" } ports { protocol: "tcp" port: 443 } })");
  task("w", "web", "10.0.0.2");
  EXPECT_THAT(group().allows[0].addresses, IsEmpty());
  EXPECT_TRUE(table_.asks_for("API.example.com."));
  EXPECT_FALSE(table_.asks_for("example.com"));
  table_.learn("other.org", {"198.51.100.1"}, minutes(5), kStart);
  EXPECT_FALSE(table_.update());

  table_.learn("API.example.com.", {"198.51.100.7", "2001:DB8::7", "10.0.0.9", "nonsense"}, seconds(5), kStart);
  EXPECT_THAT(group().allows[0].addresses, ElementsAre("198.51.100.7", "2001:db8::7")) << "and none of ours";
  EXPECT_EQ(table_.next_expiry(), kStart + seconds(60)) << "longer than its few seconds";
  table_.learn("api.example.com", {"198.51.100.7"}, minutes(5), kStart + seconds(30));
  table_.expire(kStart + seconds(60));
  EXPECT_THAT(group().allows[0].addresses, ElementsAre("198.51.100.7"));
  table_.expire(kStart + seconds(330));
  EXPECT_THAT(group().allows[0].addresses, IsEmpty());
  EXPECT_EQ(table_.next_expiry(), std::nullopt);
}

TEST_F(PolicyTableTest, TwoNamesMayMeanOneAddress) {
  policy("shop", "out", R"(egress: true to { peers { name: "*.example.com" } })");
  task("w", "web", "10.0.0.2");
  table_.learn("a.example.com", {"198.51.100.7"}, seconds(60), kStart);
  table_.learn("b.example.com", {"198.51.100.7"}, seconds(90), kStart);
  table_.expire(kStart + seconds(60));
  EXPECT_THAT(group().allows[0].addresses, ElementsAre("198.51.100.7"));
  table_.expire(kStart + seconds(90));
  EXPECT_THAT(group().allows[0].addresses, IsEmpty());
}

TEST_F(PolicyTableTest, WhatIsLearnedIsBounded) {
  policy("shop", "out", R"(egress: true to { peers { name: "*.example.com" } })");
  task("w", "web", "10.0.0.2");
  for (int i = 0; i < 10'050; ++i)
    table_.learn("n" + std::to_string(i) + ".example.com",
                 {"198.18." + std::to_string(i / 200) + "." + std::to_string(i % 200)}, seconds(60) + seconds(i),
                 kStart);
  const auto allows = group().allows;
  EXPECT_THAT(allows[0].addresses, SizeIs(10'000));
  EXPECT_EQ(table_.next_expiry(), kStart + seconds(60 + 50)) << "what ends first went first";
}

TEST_F(PolicyTableTest, WhatWasLearnedOutlivesAChangeOfPolicies) {
  policy("shop", "out", R"(egress: true to { peers { name: "api.example.com" } })");
  task("w", "web", "10.0.0.2");
  table_.learn("api.example.com", {"198.51.100.7"}, minutes(5), kStart);
  table_.update();
  policy("shop", "more", R"(service: "db" ingress: true)");
  EXPECT_FALSE(table_.update()) << "what comes to the same is told to nobody";
  policy("shop", "out", R"(egress: true to { peers { name: "other.org" } })");
  EXPECT_THAT(group().allows[0].addresses, IsEmpty());
  EXPECT_EQ(table_.next_expiry(), std::nullopt);
}

TEST_F(PolicyTableTest, APolicyThatGoesOpensWhatItClosed) {
  policy("shop", "p", "ingress: true egress: true");
  task("w", "web", "10.0.0.2");
  table_.update();
  EXPECT_THAT(table_.result().groups, SizeIs(2));
  table_.set_policies({});
  EXPECT_THAT(table_.result().tasks, SizeIs(1));
  EXPECT_TRUE(table_.update());
  EXPECT_EQ(table_.result(), networks::Policies());
}

}  // namespace
}  // namespace orchion::node::agent
