// `orchion network`, from the arguments to the exit code.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_fixture_test.h"
#include "cli/network_users.h"

namespace orchion::cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kNetwork =
    R"({"meta":{"name":"back","stack":"shop","uid":"n1"},"spec":{"internal":true},)"
    R"("status":{"subnet":"10.192.0.0/20","gateway":"10.192.0.1","subnet6":"fd00:1::/64"}})";

constexpr const char* kServices =
    R"({"services":[{"meta":{"name":"web","stack":"shop"},"spec":{"container":{"networks":[{"network":"back",)"
    R"("aliases":["www"]}]}},"status":{"virtualAddresses":[{"networkUid":"n1","address":"10.192.0.9",)"
    R"("address6":"fd00:1::ac0:9"}]}},)"
    R"({"meta":{"name":"api","stack":"app"},"spec":{"container":{"networks":[{"network":"shop/back"}]}}},)"
    R"({"meta":{"name":"other","stack":"app"},"spec":{"container":{"networks":[{"network":"back"}]}}}]})";

constexpr const char* kTasksInIt =
    R"({"tasks":[{"meta":{"name":"web.1.abc","stack":"shop"},"spec":{"service":"web","slot":1,"assignment":)"
    R"({"node":"nas","addresses":[{"networkUid":"n1","address":"10.192.0.5"}]}},"status":{"state":"RUNNING"}},)"
    R"({"meta":{"name":"other.1.abc","stack":"app"},"spec":{"service":"other","slot":1,"assignment":)"
    R"({"node":"nas","addresses":[{"networkUid":"n2","address":"10.192.16.5"}]}},"status":{"state":"RUNNING"}}]})";

class NetworkTest : public CliTest {
 protected:
  NetworkTest() {
    server_.on("GET /v1/networks", 200, std::string(R"({"networks":[)") + kNetwork + "]}");
    server_.on("GET /v1/stacks/shop/networks/back", 200, kNetwork);
    server_.on("GET /v1/services", 200, kServices);
    server_.on("GET /v1/tasks", 200, kTasksInIt);
  }
};

TEST_F(NetworkTest, LsSaysHowManyAreInEach) {
  const auto table = run({"network", "ls"});
  EXPECT_EQ(table.code, kExitOk) << table.err;
  EXPECT_THAT(table.out, HasSubstr("shop/back  10.192.0.0/20  fd00:1::/64  yes       2         1"));
  EXPECT_THAT(run({"network", "ls", "-o", "wide"}).out, AllOf(HasSubstr("GATEWAY"), HasSubstr("10.192.0.1")));
  EXPECT_EQ(run({"network", "ls", "-o", "name"}).out, "shop/back\n");
  EXPECT_THAT(run({"network", "ls", "-o", "json"}).out, HasSubstr(R"("subnet":"10.192.0.0/20")"));
  (void)run({"network", "ls", "--stack", "shop", "-o", "name"});
  EXPECT_THAT(server_.asked().back(), HasSubstr("/v1/networks?stack=shop"));
}

TEST_F(NetworkTest, InspectSaysWhoIsInIt) {
  const auto yaml = run({"network", "inspect", "shop/back"});
  EXPECT_EQ(yaml.code, kExitOk) << yaml.err;
  EXPECT_THAT(yaml.out, AllOf(HasSubstr("- service: shop/web\n"), HasSubstr("virtualAddress: \"10.192.0.9\"\n"),
                              HasSubstr("- service: app/api\n"), HasSubstr("- task: shop/web.1\n"),
                              HasSubstr("address: \"10.192.0.5\"\n"), HasSubstr("node: nas\n")));
  EXPECT_THAT(yaml.out, testing::Not(HasSubstr("other")));
  EXPECT_EQ(run({"network", "inspect", "shop/back", "-o", "template={status.subnet}"}).out, "10.192.0.0/20\n");
  EXPECT_EQ(run({"network", "inspect", "back", "--stack", "shop"}).code, kExitOk);
  EXPECT_EQ(run({"network", "inspect", "shop/nope"}).code, kExitNotFound);
}

TEST_F(NetworkTest, CreateSaysWhatWasAskedFor) {
  server_.on("POST /v1/stacks/shop/networks", 200, kNetwork);
  const auto made =
      run({"network", "create", "shop/back", "--subnet", "10.20.0.0/16", "--gateway", "10.20.0.9", "--subnet6",
           "fd00:1::/64", "--internal", "--mtu", "1400", "--label", "team=a=b", "--label", "plain"});
  EXPECT_EQ(made.code, kExitOk) << made.err;
  EXPECT_THAT(made.err, HasSubstr("network shop/back was made"));
  EXPECT_THAT(
      server_.asked().back(),
      AllOf(HasSubstr(R"("subnet":"10.20.0.0/16")"), HasSubstr(R"("gateway":"10.20.0.9")"),
            HasSubstr(R"("enableIpv6":true)"), HasSubstr(R"("subnet6":"fd00:1::/64")"), HasSubstr(R"("internal":true)"),
            HasSubstr(R"("mtu":1400)"), HasSubstr(R"("team":"a=b")"), HasSubstr(R"("plain":"")")));
  EXPECT_EQ(run({"network", "create", "back", "--stack", "shop", "-o", "json"}).out, std::string(kNetwork) + "\n");
}

TEST_F(NetworkTest, WhatIsTypedWronglyAsksNobody) {
  EXPECT_EQ(run({"network", "create", "Shop/back"}).err,
            "orchion: `Shop/back` names no network: write STACK/NETWORK, or NETWORK of the stack here\n");
  EXPECT_THAT(run({"network", "create", "back"}).err, HasSubstr("which stack?"));
  EXPECT_EQ(run({"network", "create", "shop/back", "--mtu", "500"}).code, kExitUsage);
  EXPECT_EQ(run({"network", "rm"}).code, kExitUsage);
  EXPECT_EQ(run({"network", "rm", "shop/a/b"}).code, kExitUsage);
  const auto task = run({"network", "connect", "shop/back", "shop/web.1"});
  EXPECT_EQ(task.code, kExitUsage);
  EXPECT_THAT(task.err, HasSubstr("shop/web.1 names one task, but networks are its service's: leave .1 out"));
  EXPECT_THAT(server_.asked(), IsEmpty());
}

TEST_F(NetworkTest, RmRemovesEach) {
  server_.on("DELETE /v1/stacks/shop/networks/back", 200, kNetwork);
  server_.on("DELETE /v1/stacks/shop/networks/used", 400,
             R"({"code":"FAILED_PRECONDITION","detail":"network shop/used is used by shop/web"})");
  EXPECT_EQ(run({"network", "rm", "shop/back"}).err, "network shop/back was removed\n");
  const auto used = run({"network", "rm", "shop/back", "shop/used"});
  EXPECT_EQ(used.code, kExitFailed);
  EXPECT_THAT(used.err, HasSubstr("network shop/used is used by shop/web"));
}

TEST_F(NetworkTest, ConnectNamesBothStacks) {
  const std::string stack =
      R"({"meta":{"name":"NAME"},"spec":{"services":[{"name":"web","spec":{}},{"name":"api","spec":{}}]}})";
  for (const std::string name : {"shop", "app"}) {
    auto body = stack;
    server_.on("GET /v1/stacks/" + name, 200, body.replace(body.find("NAME"), 4, name));
  }
  for (const std::string verb : {"connect", "disconnect"})
    server_.on("POST /v1/stacks/shop/networks/back/" + verb, 200, "{}");
  // Without a stack of this folder the service is of the network's.
  EXPECT_EQ(run({"network", "connect", "shop/back", "web", "--alias", "www", "--alias", "front", "-d"}).code, kExitOk);
  EXPECT_THAT(server_.asked().back(), AllOf(HasSubstr(R"("service":"web")"), HasSubstr(R"("aliases":["www","front"])"),
                                            testing::Not(HasSubstr(R"("serviceStack":"shop")"))));
  EXPECT_EQ(run({"network", "connect", "shop/back", "app/api", "-d"}).code, kExitOk);
  EXPECT_THAT(server_.asked().back(), HasSubstr(R"("serviceStack":"app")"));
  EXPECT_EQ(run({"network", "disconnect", "shop/back", "app/api", "-d"}).code, kExitOk);
  EXPECT_THAT(server_.asked(), Contains(HasSubstr("networks/back/disconnect")));
  EXPECT_EQ(run({"network", "connect", "shop/back", "shop/nope", "-d"}).code, kExitNotFound);
}

TEST_F(NetworkTest, NamesAreCompleted) {
  EXPECT_EQ(run({"__complete", "network", "inspect", "sh"}).out, "shop/back\t\n");
  EXPECT_EQ(run({"__complete", "--stack", "shop", "network", "rm", ""}).out, "back\t\n");
}

}  // namespace
}  // namespace orchion::cli
