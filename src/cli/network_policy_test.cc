#include <gmock/gmock.h>

#include "cli/cli_fixture_test.h"

namespace orchion::cli {
namespace {

using testing::HasSubstr;

constexpr const char* kTest = "GET /v1/networkPolicies/test";

using NetworkPolicyTest = CliTest;

TEST_F(NetworkPolicyTest, ListsSayWhatEachIsAbout) {
  server_.on("GET /v1/networkPolicies", 200,
             R"({"networkPolicies":[{"meta":{"name":"db-only","stack":"shop","uid":"u1"},)"
             R"("spec":{"service":"db","labels":{"a":"b"},"ingress":true,"from":[{}]}},)"
             R"({"meta":{"name":"deny","stack":"shop"},"spec":{"ingress":true,"egress":true}}]})");
  const auto table = run({"network", "policy", "ls"});
  EXPECT_EQ(table.code, kExitOk) << table.err;
  EXPECT_THAT(table.out, HasSubstr("shop/db-only  db a=b  1 rule       open"));
  EXPECT_THAT(table.out, HasSubstr("shop/deny     all     refuses all  refuses all"));
  EXPECT_EQ(run({"network", "policy", "ls", "-o", "name"}).out, "shop/db-only\nshop/deny\n");
}

TEST_F(NetworkPolicyTest, AnAnswerIsASentenceAndAnExitCode) {
  server_.on(kTest, 200, R"({"allowed":true,"message":"allowed by policy shop/db-only, rule 1"})");
  const auto allowed = run({"network", "policy", "test", "shop/web", "shop/db", "5432"});
  EXPECT_EQ(allowed.code, kExitOk) << allowed.err;
  EXPECT_EQ(allowed.out, "allowed by policy shop/db-only, rule 1\n");
  EXPECT_THAT(server_.asked().back(), HasSubstr("from=shop%2Fweb&to=shop%2Fdb&port=5432&protocol=tcp"));
}

TEST_F(NetworkPolicyTest, ARefusalExitsWithOne) {
  const std::string answer = R"({"allowed":false,"message":"refused: it is so"})";
  server_.on(kTest, 200, answer);
  const auto refused = run({"network", "policy", "test", "--stack", "shop", "web", "api.example.com", "53/udp"});
  EXPECT_EQ(refused.code, kExitFailed);
  EXPECT_EQ(refused.out, "refused: it is so\n");
  EXPECT_THAT(server_.asked().back(), HasSubstr("from=shop%2Fweb&to=api.example.com&port=53&protocol=udp"));
  const auto data = run({"network", "policy", "test", "shop/web", "fd00::1", "80", "-o", "json"});
  EXPECT_EQ(data.code, kExitFailed);
  EXPECT_EQ(data.out, answer + "\n");
}

TEST_F(NetworkPolicyTest, WrongUseIsExitCodeTwo) {
  for (const char* port : {"http", "0", "65536", "80/sctp", "80/", "/tcp", "-1"}) {
    const auto refused = run({"network", "policy", "test", "shop/web", "shop/db", "--", port});
    EXPECT_EQ(refused.code, kExitUsage) << port;
    EXPECT_THAT(refused.err, HasSubstr("is no port")) << port;
  }
  EXPECT_EQ(run({"network", "policy", "inspect", "db-only"}).code, kExitUsage) << "of no stack";
  EXPECT_EQ(run({"network", "policy"}).code, kExitUsage);
}

TEST_F(NetworkPolicyTest, InspectPrintsTheObject) {
  server_.on("GET /v1/stacks/shop/networkPolicies/db-only", 200, R"({"meta":{"name":"db-only"}})");
  EXPECT_THAT(run({"network", "policy", "inspect", "shop/db-only"}).out, HasSubstr("name: db-only"));
}

}  // namespace
}  // namespace orchion::cli
