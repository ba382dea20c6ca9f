#include "mesh/dns/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::mesh::dns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Two stacks with a network each, and one network that both are in. "web" has two tasks, "lone" is in blue only.
class RecordTableTest : public testing::Test {
 protected:
  RecordTableTest() {
    table_.put_network("blue", "10.0.0.1");
    table_.put_local("lone", "blue", "10.0.0.9", "Shop");
    table_.put_local("web1", "blue", "10.0.0.2", "shop");
    table_.put_local("web1", "joint", "10.2.0.2", "shop");
    table_.put_local("db", "red", "10.1.0.2", "other");
    table_.put_local("db", "joint", "10.2.0.3", "other");
    table_.put({"web1", "blue", "10.0.0.2", "shop", "web", 1, {"www"}});
    table_.put({"web1", "joint", "10.2.0.2", "shop", "web", 1, {"front.example.com"}});
    table_.put({"web2", "blue", "10.0.0.3", "shop", "Web", 2, {"www"}});
    table_.put({"db", "red", "10.1.0.2", "other", "db", 1, {}});
    table_.put({"db", "joint", "10.2.0.3", "other", "db", 1, {}});
    table_.put({"cache", "red", "10.1.0.4", "other", "web", 1, {}});
  }

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
           {"10.0.0.9", "WEB", both},
           {"10.0.0.9", "web.shop", both},
           {"10.0.0.9", "web.shop.orchion.internal", both},
           {"10.0.0.9", "Web.Shop.Orchion.Internal", both},
           {"10.0.0.9", "tasks.web", both},
           {"10.0.0.9", "tasks.web.shop.orchion.internal", both},
           {"10.0.0.9", "2.web", {"10.0.0.3"}},
           {"10.0.0.9", "2.web.shop.orchion.internal", {"10.0.0.3"}},
           {"10.0.0.9", "www", both},
           {"10.0.0.9", "host.docker.internal", {"10.0.0.1"}},
           {"10.0.0.2", "web", {"10.0.0.2", "10.0.0.3", "10.2.0.2"}},
           {"10.0.0.2", "db", {"10.2.0.3"}},
           {"10.0.0.2", "db.other", {"10.2.0.3"}},
           {"10.1.0.2", "web", {"10.1.0.4"}},
           {"10.1.0.2", "web.shop", {"10.2.0.2"}},
           {"10.1.0.2", "front.example.com", {"10.2.0.2"}},
       }) {
    const Answer answer = table_.find(asker, name);
    EXPECT_TRUE(answer.authoritative) << asker << " " << name;
    EXPECT_TRUE(answer.exists) << asker << " " << name;
    EXPECT_EQ(answer.addresses, addresses) << asker << " " << name;
  }
}

TEST_F(RecordTableTest, WhatIsntSharedIsntThere) {
  for (const char* name : {"db", "db.other.orchion.internal", "3.web.shop.orchion.internal", "orchion.internal.web",
                           "www.orchion.internal", "x.orchion.internal", "nobody", ""}) {
    const Answer answer = table_.find("10.0.0.9", name);
    EXPECT_EQ(answer.authoritative, std::string_view(name) != "orchion.internal.web") << name;
    EXPECT_FALSE(answer.exists) << name;
    EXPECT_THAT(answer.addresses, IsEmpty()) << name;
  }
}

TEST_F(RecordTableTest, OthersAreForwarded) {
  for (const char* name : {"example.com", "db.other", "notorchion.internal", "orchion.internal.com"}) {
    EXPECT_FALSE(table_.find("10.0.0.9", name).authoritative) << name;
  }
}

TEST_F(RecordTableTest, StrangersAreKnownAsSuch) {
  EXPECT_TRUE(table_.knows("10.0.0.9"));
  EXPECT_FALSE(table_.knows("10.0.0.3")) << "a task of another machine asks there";
  EXPECT_FALSE(table_.knows("127.0.0.1"));
  EXPECT_FALSE(table_.find("127.0.0.1", "web").exists);
}

TEST_F(RecordTableTest, ChangesAreSeen) {
  table_.remove("web1", "blue");
  EXPECT_THAT(table_.find("10.0.0.9", "web").addresses, ElementsAre("10.0.0.3"));
  table_.put({"web2", "blue", "10.0.0.4", "shop", "web", 2, {}});
  EXPECT_THAT(table_.find("10.0.0.9", "web").addresses, ElementsAre("10.0.0.4"));
  EXPECT_FALSE(table_.find("10.0.0.9", "www").exists);
  table_.remove("web2", "blue");
  EXPECT_FALSE(table_.find("10.0.0.9", "web").exists);
  table_.remove_local("lone");
  EXPECT_FALSE(table_.knows("10.0.0.9"));
  table_.remove_network("blue");
  EXPECT_FALSE(table_.find("10.0.0.2", "host.docker.internal").exists);
  table_.clear();
  EXPECT_FALSE(table_.knows("10.0.0.2"));
}

TEST_F(RecordTableTest, AddressesHaveNames) {
  EXPECT_EQ(table_.reverse("10.0.0.9", "10.0.0.3"), "2.web.shop.orchion.internal");
  EXPECT_EQ(table_.reverse("10.0.0.9", "10.1.0.2"), std::nullopt) << "not in a network of the asker's";
  EXPECT_EQ(table_.reverse("127.0.0.1", "10.0.0.3"), std::nullopt);
}

}  // namespace
}  // namespace orchion::mesh::dns
