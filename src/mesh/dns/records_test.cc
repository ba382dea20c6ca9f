#include "mesh/dns/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::mesh::dns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Address at(const std::string& text) {
  return boost::asio::ip::make_address(text);
}

std::vector<std::string> texts(const std::vector<Address>& addresses) {
  std::vector<std::string> all;
  for (const auto& address : addresses) all.push_back(address.to_string());
  return all;
}

// Two stacks with a network each, and one network that both are in. "web" has two tasks, "lone" is in blue only.
class RecordTableTest : public testing::Test {
 protected:
  RecordTableTest() {
    table_.put_network("blue", {.gateway = "10.0.0.1", .subnet = "10.0.0.0/24"});
    table_.put_local({"lone", "blue", "10.0.0.9", "Shop"});
    table_.put_local({"web1", "blue", "10.0.0.2", "shop"});
    table_.put_local({"web1", "joint", "10.2.0.2", "shop"});
    table_.put_local({"db", "red", "10.1.0.2", "other"});
    table_.put_local({"db", "joint", "10.2.0.3", "other"});
    table_.put({"web1", "blue", "10.0.0.2", "shop", "web", 1, {"www"}});
    table_.put({"web1", "joint", "10.2.0.2", "shop", "web", 1, {"front.example.com"}});
    table_.put({"web2", "blue", "10.0.0.3", "shop", "Web", 2, {"www"}});
    table_.put({"db", "red", "10.1.0.2", "other", "db", 1, {}});
    table_.put({"db", "joint", "10.2.0.3", "other", "db", 1, {}});
    table_.put({"cache", "red", "10.1.0.4", "other", "web", 1, {}});
  }

  Answer find(const std::string& asker, std::string_view name) const { return table_.find(at(asker), name); }

  RecordTable table_;
};

TEST_F(RecordTableTest, FindsNamesByTheirForms) {
  struct Case {
    const char* asker;
    const char* name;
    std::vector<std::string> addresses;
  };
  const std::vector<std::string> both = {"10.0.0.2", "10.0.0.3"};
  for (const auto& [asker, name, addresses] : std::vector<Case>{
           {"10.0.0.9", "web", both},
           {"10.0.0.9", "web.shop", both},
           {"10.0.0.9", "web.shop.orchion.internal", both},
           {"10.0.0.9", "tasks.web", both},
           {"10.0.0.9", "tasks.web.shop.orchion.internal", both},
           {"10.0.0.9", "2.web", {"10.0.0.3"}},
           {"10.0.0.9", "2.web.shop.orchion.internal", {"10.0.0.3"}},
           {"10.0.0.9", "www", both},
           {"10.0.0.9", "www.shop", both},
           {"10.0.0.9", "www.shop.orchion.internal", both},
           {"10.0.0.9", "host.docker.internal", {"10.0.0.1"}},
           {"10.0.0.2", "web", {"10.0.0.2", "10.0.0.3", "10.2.0.2"}},
           {"10.0.0.2", "db", {"10.2.0.3"}},
           {"10.0.0.2", "db.other", {"10.2.0.3"}},
           {"10.1.0.2", "web", {"10.1.0.4"}},
           {"10.1.0.2", "web.shop", {"10.2.0.2"}},
           {"10.1.0.2", "front.example.com", {"10.2.0.2"}},
       }) {
    const Answer answer = table_.find(at(asker), name);
    EXPECT_TRUE(answer.authoritative) << asker << " " << name;
    EXPECT_TRUE(answer.exists) << asker << " " << name;
    EXPECT_EQ(texts(answer.addresses), addresses) << asker << " " << name;
  }
}

TEST_F(RecordTableTest, WhatIsntSharedIsntThere) {
  for (const char* name : {"db", "db.other.orchion.internal", "3.web.shop.orchion.internal", "orchion.internal.web",
                           "www.orchion.internal", "x.orchion.internal", "nobody", ""}) {
    const Answer answer = find("10.0.0.9", name);
    EXPECT_EQ(answer.authoritative, std::string_view(name) != "orchion.internal.web") << name;
    EXPECT_FALSE(answer.exists) << name;
    EXPECT_THAT(answer.addresses, IsEmpty()) << name;
  }
}

TEST_F(RecordTableTest, OthersAreForwarded) {
  for (const char* name : {"example.com", "db.other", "notorchion.internal", "orchion.internal.com"}) {
    EXPECT_FALSE(find("10.0.0.9", name).authoritative) << name;
  }
}

TEST_F(RecordTableTest, StrangersAreKnownAsSuch) {
  EXPECT_TRUE(table_.knows(at("10.0.0.9")));
  EXPECT_FALSE(table_.knows(at("10.0.0.3"))) << "a task of another machine asks there";
  EXPECT_FALSE(table_.knows(at("127.0.0.1")));
  EXPECT_FALSE(find("127.0.0.1", "web").exists);
}

TEST_F(RecordTableTest, ChangesAreSeen) {
  table_.remove("web1", "blue");
  EXPECT_THAT(texts(find("10.0.0.9", "web").addresses), ElementsAre("10.0.0.3"));
  table_.put({"web2", "blue", "10.0.0.4", "shop", "web", 2, {}});
  EXPECT_THAT(texts(find("10.0.0.9", "web").addresses), ElementsAre("10.0.0.4"));
  EXPECT_FALSE(find("10.0.0.9", "www").exists);
  table_.remove("web2", "blue");
  EXPECT_FALSE(find("10.0.0.9", "web").exists);
  table_.remove_local("lone");
  EXPECT_FALSE(table_.knows(at("10.0.0.9")));
  table_.remove_network("blue");
  EXPECT_FALSE(find("10.0.0.2", "host.docker.internal").exists);
  table_.clear();
  EXPECT_FALSE(table_.knows(at("10.0.0.2")));
}

TEST_F(RecordTableTest, AServiceIsFoundByItsVirtualAddress) {
  for (const std::uint32_t slot : {1, 2}) {
    const auto number = std::to_string(slot);
    table_.put({.task_uid = "api" + number,
                .network_uid = "blue",
                .address = "10.0.0.1" + number,
                .stack = "shop",
                .service = "api",
                .slot = slot,
                .aliases = {"backend", "api.example.com"},
                .address6 = "fd00::1" + number,
                .virtual_address = "10.0.0.200",
                .virtual_address6 = "fd00::200"});
  }
  for (const char* name : {"api", "api.shop", "api.shop.orchion.internal", "backend", "backend.shop",
                           "backend.shop.orchion.internal", "api.example.com"}) {
    EXPECT_THAT(texts(find("10.0.0.9", name).addresses), ElementsAre("10.0.0.200", "fd00::200")) << name;
  }
  for (const char* name : {"tasks.api", "tasks.api.shop", "tasks.api.shop.orchion.internal"}) {
    EXPECT_THAT(texts(find("10.0.0.9", name).addresses), ElementsAre("10.0.0.11", "10.0.0.12", "fd00::11", "fd00::12"));
  }
  EXPECT_THAT(texts(find("10.0.0.9", "2.api").addresses), ElementsAre("10.0.0.12", "fd00::12"));
  EXPECT_FALSE(find("10.0.0.9", "api.example.com.shop.orchion.internal").exists);
  EXPECT_EQ(table_.reverse(at("10.0.0.9"), at("10.0.0.200")).name, "api.shop.orchion.internal");
  EXPECT_EQ(table_.reverse(at("10.0.0.9"), at("fd00::200")).name, "api.shop.orchion.internal");
  EXPECT_EQ(table_.reverse(at("10.0.0.9"), at("fd00::12")).name, "2.api.shop.orchion.internal");
  table_.remove("api1", "blue");
  EXPECT_THAT(texts(find("10.0.0.9", "api").addresses), ElementsAre("10.0.0.200", "fd00::200"));
  EXPECT_THAT(texts(find("10.0.0.9", "tasks.api").addresses), ElementsAre("10.0.0.12", "fd00::12"));
  table_.remove("api2", "blue");
  EXPECT_FALSE(find("10.0.0.9", "api").exists);
  EXPECT_EQ(table_.reverse(at("10.0.0.9"), at("10.0.0.200")).name, "") << "nobody serves there";
}

TEST_F(RecordTableTest, AServicesOwnNameGoesBeforeAnAlias) {
  table_.put({"other", "blue", "10.0.0.7", "shop", "other", 1, {"web", "www"}});
  EXPECT_THAT(texts(find("10.0.0.9", "web").addresses), ElementsAre("10.0.0.2", "10.0.0.3"));
  EXPECT_THAT(texts(find("10.0.0.9", "web.shop.orchion.internal").addresses), ElementsAre("10.0.0.2", "10.0.0.3"));
  EXPECT_THAT(texts(find("10.0.0.9", "www").addresses), ElementsAre("10.0.0.2", "10.0.0.3", "10.0.0.7"));
}

TEST_F(RecordTableTest, WhereOnlySomeHaveAVirtualAddressTheOthersAreThemselves) {
  table_.put({.task_uid = "run",
              .network_uid = "blue",
              .address = "10.0.0.20",
              .stack = "shop",
              .service = "backup",
              .slot = 1,
              .aliases = {"both"},
              .virtual_address = "10.0.0.201",
              .of_run = true});
  table_.put({.task_uid = "api",
              .network_uid = "blue",
              .address = "10.0.0.21",
              .stack = "shop",
              .service = "api",
              .slot = 1,
              .aliases = {"both", "Both"},
              .virtual_address = "10.0.0.202"});
  EXPECT_THAT(texts(find("10.0.0.9", "backup").addresses), ElementsAre("10.0.0.20")) << "a job has none";
  EXPECT_THAT(texts(find("10.0.0.9", "both").addresses), ElementsAre("10.0.0.20", "10.0.0.202"));
  table_.remove("api", "blue");
  EXPECT_THAT(texts(find("10.0.0.9", "both").addresses), ElementsAre("10.0.0.20"));
}

TEST_F(RecordTableTest, AskersMayComeByIpv6) {
  table_.put_local({"six", "blue", "10.0.0.6", "shop", "fd00::6"});
  EXPECT_TRUE(table_.knows(at("fd00::6")));
  EXPECT_TRUE(find("fd00::6", "web").exists);
  table_.put_network("blue", {.gateway = "10.0.0.1", .gateway6 = "fd00::1", .subnet = {}, .subnet6 = "fd00::/64"});
  EXPECT_THAT(texts(find("fd00::6", "host.docker.internal").addresses), ElementsAre("10.0.0.1", "fd00::1"));
  table_.remove_local("six");
  EXPECT_FALSE(table_.knows(at("fd00::6")));
}

TEST_F(RecordTableTest, AnAddressIsItsLastOwners) {
  table_.put_local({"heir", "red", "10.0.0.9", "other"});
  EXPECT_THAT(texts(find("10.0.0.9", "db").addresses), ElementsAre("10.1.0.2"));
  table_.remove_local("lone");
  EXPECT_THAT(texts(find("10.0.0.9", "db").addresses), ElementsAre("10.1.0.2"));
  table_.remove_local("heir");
  EXPECT_FALSE(table_.knows(at("10.0.0.9")));
}

std::vector<std::string> targets(const ServiceAnswer& answer) {
  std::vector<std::string> all;
  for (const auto& each : answer.targets) {
    all.push_back(each.name + " " + std::to_string(each.port));
    for (const auto& address : each.addresses) all.back() += " " + address.to_string();
  }
  return all;
}

TEST_F(RecordTableTest, PortsAreFoundByNumber) {
  table_.put({.task_uid = "api",
              .network_uid = "blue",
              .address = "10.0.0.21",
              .stack = "shop",
              .service = "api",
              .slot = 1,
              .address6 = "fd00::21",
              .virtual_address = "10.0.0.202"});
  const auto ask = [&](std::string_view name) { return table_.find_services(at("10.0.0.9"), name); };
  const std::string task = "1.api.shop.orchion.internal";
  const std::string addresses = " 10.0.0.21 fd00::21";
  EXPECT_THAT(targets(ask("_8080._tcp.api")), ElementsAre(task + " 8080" + addresses));
  EXPECT_THAT(targets(ask("_53._udp.api.shop.orchion.internal")), ElementsAre(task + " 53" + addresses));
  EXPECT_THAT(targets(ask("_80._tcp.web")),
              ElementsAre("1.web.shop.orchion.internal 80 10.0.0.2", "2.web.shop.orchion.internal 80 10.0.0.3"));
  EXPECT_TRUE(ask("web").exists);
  EXPECT_THAT(ask("web").targets, IsEmpty()) << "it names no port";
  for (const char* name : {"_http._tcp.web", "_0._tcp.web", "_70000._tcp.web", "_80._tcp.nobody", "_80x._tcp.web"}) {
    EXPECT_TRUE(ask(name).authoritative) << name;
    EXPECT_FALSE(ask(name).exists) << name;
  }
  EXPECT_FALSE(ask("_80._tcp.example.com").authoritative);
  EXPECT_FALSE(table_.find_services(at("127.0.0.1"), "web").authoritative);
  EXPECT_TRUE(find("10.0.0.9", "_80._tcp.web").exists) << "a name, with no address";
  EXPECT_THAT(find("10.0.0.9", "_80._tcp.web").addresses, IsEmpty());
}

TEST_F(RecordTableTest, AddressesHaveNames) {
  const auto name = [&](const std::string& asker, const std::string& address) {
    const auto found = table_.reverse(at(asker), at(address));
    return found.authoritative ? found.name : "not ours";
  };
  EXPECT_EQ(name("10.0.0.9", "10.0.0.3"), "2.web.shop.orchion.internal");
  EXPECT_EQ(name("10.0.0.9", "10.0.0.1"), "host.docker.internal");
  EXPECT_EQ(name("10.0.0.9", "10.0.0.77"), "") << "nobody's, but of our network";
  EXPECT_EQ(name("10.0.0.9", "10.1.0.2"), "not ours") << "not in a network of the asker's";
  EXPECT_EQ(name("10.0.0.9", "fd00::77"), "not ours");
  EXPECT_EQ(name("127.0.0.1", "10.0.0.3"), "not ours");
  table_.put_network("red", {.gateway = "10.1.0.1", .gateway6 = {}, .subnet = "10.1.0.0/24", .subnet6 = "fd00:1::/64"});
  EXPECT_EQ(name("10.0.0.9", "10.1.0.2"), "") << "hidden, and asked of nobody";
  EXPECT_EQ(name("10.0.0.9", "10.1.0.1"), "");
  EXPECT_EQ(name("10.0.0.9", "fd00:1::7"), "");
  table_.remove_network("red");
  EXPECT_EQ(name("10.0.0.9", "fd00:1::7"), "not ours");
}

}  // namespace
}  // namespace orchion::mesh::dns
