// What isn't a list of the server's objects is printed as data too.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_fixture_test.h"

namespace orchion::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(CliTest, VersionsAreDataToo) {
  server_.on("GET /v1/server", 200, R"({"version":"9.8.7"})");
  EXPECT_EQ(run({"version"}).out, "orchion 1.2.3\nserver  9.8.7\n");
  EXPECT_EQ(run({"version", "-o", "json"}).out, "{\"version\":\"1.2.3\",\"server\":\"9.8.7\"}\n");
  EXPECT_THAT(run({"version", "-o", "yaml"}).out, AllOf(HasSubstr("version: "), HasSubstr("server: ")));
  EXPECT_EQ(run({"version", "-o", "name"}).out, "1.2.3\n");
  EXPECT_EQ(run({"version", "-o", "template={server}"}).out, "9.8.7\n");
  EXPECT_EQ(run({"version", "-o", "json", "--server", "unix:" + (folder_ / "none").string()}).out,
            "{\"version\":\"1.2.3\",\"server\":\"\"}\n");
}

TEST_F(CliTest, APlanIsDataToo) {
  write("compose.yaml", kCompose);
  server_.on("PUT /v1/stacks/shop", 200,
             R"({"plan":{"changes":[{"kind":"Service","name":"web","action":"UPDATE","tasksBefore":1,"tasksAfter":2},)"
             R"({"kind":"Service","name":"db","action":"NONE"}],"baseRevision":"7"}})");
  EXPECT_THAT(run({"plan"}).out, StartsWith("~ service web (tasks 1 → 2)\n"));
  EXPECT_THAT(run({"plan", "-o", "json"}).out,
              AllOf(StartsWith(R"({"changes":[{"kind":"Service","name":"web","action":"UPDATE")"),
                    HasSubstr(R"("tasksBefore":1,"tasksAfter":2)"), HasSubstr(R"("baseRevision":"7")")));
  EXPECT_THAT(run({"plan", "-o", "yaml"}).out, StartsWith("changes:\n  - kind: Service\n"));
  EXPECT_EQ(run({"plan", "-o", "name"}).out, "shop/web\n");
  EXPECT_EQ(run({"plan", "-o", "template={action} {name}"}).out, "UPDATE web\nNONE db\n");
  EXPECT_EQ(run({"plan", "-o", "json", "--exit-code"}).code, kExitChanges);
}

TEST_F(CliTest, WhatTheDoctorFindsIsDataToo) {
  server_.on("GET /v1/server", 200, R"({"version":"9.8.7"})");
  const auto json = run({"doctor", "-o", "json", "--data", folder_.string()}).out;
  EXPECT_THAT(json, StartsWith(R"({"findings":[{"good":true,"text":"a server answers at )"));
  EXPECT_THAT(json, Not(HasSubstr("✔")));
  EXPECT_THAT(run({"doctor", "-o", "template={good}", "--data", folder_.string()}).out, StartsWith("true\n"));
  const auto ill = run({"doctor", "-o", "json", "--server", "unix:" + (folder_ / "none").string()});
  EXPECT_EQ(ill.code, kExitFailed) << "data says no less";
  EXPECT_THAT(ill.out, StartsWith(R"({"findings":[{"good":false)"));
}

TEST_F(CliTest, HealthIsPatientWithWhatStarts) {
  std::string starting = kTasks;
  starting.replace(starting.find(R"("RUNNING")"), 9, R"("RUNNING","health":"HEALTH_STARTING")");
  server_.on("GET /v1/tasks", 200, starting);
  const auto outcome = run({"health"});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_THAT(outcome.out, HasSubstr("shop/web.1  starting"));
  EXPECT_THAT(outcome.err, HasSubstr("1 of 1 tasks has not answered its check yet: `orchion wait --for healthy`"));
}

TEST_F(CliTest, HealthOfOneTaskShowsItsChecks) {
  server_.on("GET /v1/stacks/shop/tasks/web.1/health", 200,
             R"({"probes":[{"purpose":"LIVENESS","check":{"tcp":{"port":80},"interval":"10s","timeout":"2.5s",)"
             R"("origin":"known image nginx"},"state":"HEALTH_GOOD","next":"is restarted after 3 failures in a row"},)"
             R"({"purpose":"READINESS","check":{"http":{"port":8080,"path":"/ready"},"interval":"5s","timeout":"1s"},)"
             R"("state":"HEALTH_BAD","failures":3,"next":"names lead to it again","results":[)"
             R"({"time":"2026-01-01T00:00:00Z","duration":"0.001500s","output":"HTTP status 503: \u001b[2Jno\n"}]}]})");
  const auto outcome = run({"health", "shop/web.1"});
  EXPECT_EQ(outcome.code, kExitFailed) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("liveness: good, tcp 80\n"
                                      "  chosen by  known image nginx\n"
                                      "  asked      every 10 s, for 2.5 s at most\n"
                                      "  next       is restarted after 3 failures in a row\n"
                                      "  last       not asked yet\n"
                                      "readiness: fails, http://:8080/ready\n"));
  EXPECT_THAT(outcome.out, HasSubstr(" ago  bad  1.5 ms  HTTP status 503:  [2Jno\n"));
  const auto json = run({"health", "shop/web.1", "-o", "json"});
  EXPECT_EQ(json.code, kExitFailed) << "data says no less";
  EXPECT_THAT(json.out, StartsWith(R"({"probes":[{"purpose":"LIVENESS")"));
}

TEST_F(CliTest, CompletionFollowsPagesAndKnowsAnEnd) {
  server_.on("GET /v1/nodes", 200, R"({"nodes":[{"meta":{"name":"attic"}}],"nextPageToken":"p2"})");
  server_.on("GET /v1/nodes", 200, R"({"nodes":[{"meta":{"name":"nas"}},{"meta":{"name":"nut"}}]})");
  EXPECT_EQ(run({"__complete", "node", "drain", ""}).out, "attic\t\nnas\t\nnut\t\n");
  EXPECT_THAT(server_.asked().back(), HasSubstr("pageToken=p2"));
  // A server that never ends: as many names as anybody can look at.
  std::string many;
  for (int i = 0; i < 600; ++i) many += fmt::format(R"({}{{"meta":{{"name":"i{}"}}}})", i == 0 ? "" : ",", i);
  server_.on("GET /v1/images", 200, R"({"images":[)" + many + R"(],"nextPageToken":"again"})");
  EXPECT_EQ(std::ranges::count(run({"__complete", "image", "rm", "i"}).out, '\n'), 1000);
}

TEST_F(CliTest, ProgressIsLeftOutWhereThatIsWanted) {
  server_.on("DELETE /v1/stacks/shop", 200, R"({"spec":{"services":[{"name":"web"}]}})");
  EXPECT_EQ(run({"down", "--stack", "shop"}).err, "shop is gone\n");
  EXPECT_EQ(run({"down", "--stack", "shop", "--progress", "plain"}).err, "shop is gone\n");
  EXPECT_EQ(run({"down", "--stack", "shop", "--progress", "quiet"}).err, "");
  const auto drawn = run({"down", "--stack", "shop", "--progress", "tty"});
  EXPECT_EQ(drawn.code, kExitOk) << drawn.err;
  EXPECT_THAT(drawn.err, AllOf(HasSubstr("web  gone\x1b[K\n"), testing::EndsWith("shop is gone\n")));
  EXPECT_EQ(run({"down", "--progress", "fancy"}).code, kExitUsage);
}

}  // namespace
}  // namespace orchion::cli
