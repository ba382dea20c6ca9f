// Whole commands, from the arguments to the exit code, against a server whose answers are canned.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/process.h"
#include "cli/cli_fixture_test.h"

namespace orchion::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(CliTest, HelpBeginsWithExamples) {
  const auto help = run({"--help"});
  EXPECT_EQ(help.code, kExitOk);
  EXPECT_LT(help.out.find("Examples:"), help.out.find("Usage:"));
  EXPECT_EQ(run({"up", "--help"}).code, kExitOk);
}

TEST_F(CliTest, AWordThatIsNoCommandIsNamed) {
  EXPECT_THAT(run({"start-all"}).err, HasSubstr("there is no `orchion start-all`: `orchion --help` lists"));
  EXPECT_THAT(run({"node", "--stack", "x", "list"}).err, HasSubstr("there is no `orchion node list`"));
  EXPECT_THAT(run({"node"}).err, AllOf(HasSubstr("Usage: orchion node"), HasSubstr("drain"), Not(HasSubstr("image"))));
  EXPECT_THAT(run({}).err, HasSubstr("Examples:"));
  EXPECT_EQ(run({"scale"}).err, "orchion: `orchion scale` needs TARGET: see `orchion scale --help`\n");
}

TEST_F(CliTest, ASlipIsMetWithWhatWasMeant) {
  EXPECT_EQ(run({"sacle", "shop/web=3"}).err, "orchion: there is no `orchion sacle`: did you mean `scale`?\n");
  EXPECT_EQ(run({"node", "invit"}).err, "orchion: there is no `orchion node invit`: did you mean `invite`?\n");
  EXPECT_EQ(run({"up", "--detahc"}).err, "orchion: `orchion up` has no option `--detahc`: did you mean `--detach`?\n");
  EXPECT_EQ(run({"node", "rm", "--froce=1"}).err,
            "orchion: `orchion node rm` has no option `--froce`: did you mean `--force`?\n");
  EXPECT_EQ(run({"ps", "--satck", "shop"}).err,
            "orchion: `orchion ps` has no option `--satck`: did you mean `--stack`?\n");
  EXPECT_EQ(run({"ps", "--gpus"}).err,
            "orchion: `orchion ps` has no option `--gpus`: `orchion ps --help` lists them\n");
  EXPECT_EQ(run({"ps", "shop"}).err,
            "orchion: `orchion ps` can do nothing with `shop`: `orchion ps --help` says what it takes\n");
  EXPECT_EQ(run({"ps", "-o", "jsn"}).err, "orchion: there is no output format `jsn`: did you mean `json`?\n");
  EXPECT_THAT(run({"ps", "-o", "xml"}).err, HasSubstr("no output format `xml`: choose one of table, wide, json"));
  for (const auto* wrong : {"--detahc", "word"}) EXPECT_EQ(run({"up", wrong}).code, kExitUsage);
  EXPECT_THAT(server_.asked(), IsEmpty());
}

TEST_F(CliTest, WrongUseIsExitCodeTwo) {
  EXPECT_EQ(run({}).code, kExitUsage);
  EXPECT_EQ(run({"upp"}).code, kExitUsage);
  EXPECT_EQ(run({"ps", "-o", "xml"}).code, kExitUsage);
  EXPECT_EQ(run({"scale"}).code, kExitUsage);
  EXPECT_EQ(run({"node"}).code, kExitUsage);
  EXPECT_THAT(server_.asked(), IsEmpty());
}

TEST_F(CliTest, ListsPrintTablesNamesOrTheServersOwnJson) {
  server_.on("GET /v1/tasks", 200, kTasks);
  server_.on(
      "GET /v1/routes", 200,
      R"({"routes":[{"stack":"shop","service":"web","addresses":["https://shop.test/api"]},)"
      R"({"stack":"shop","service":"web","addresses":["http://off.test/"],"message":"its certificate has expired"},)"
      R"({"stack":"blog","service":"web","addresses":["http://blog.test/"]}]})");
  const auto table = run({"ps"});
  EXPECT_EQ(table.code, kExitOk);
  EXPECT_THAT(table.out, AllOf(HasSubstr("TASK"), HasSubstr("shop/web.1  running"),
                               HasSubstr("8080→80, https://shop.test/api  0")));
  EXPECT_EQ(run({"ps", "-o", "json"}).out, std::string(kTasks) + "\n");
  EXPECT_EQ(run({"-o", "name", "ps"}).out, "shop/web.1\n");
  EXPECT_THAT(run({"ps", "-o", "yaml"}).out, HasSubstr("tasks:\n  - meta:\n      name: web.1.abc\n"));
  EXPECT_THAT(run({"ps", "-o", "wide"}).out, HasSubstr("UID"));
  write("compose.yaml", kCompose);
  (void)run({"ps"});
  EXPECT_THAT(server_.asked().back(), testing::StartsWith("GET /v1/tasks?stack=shop"));
}

TEST_F(CliTest, HealthFailsWhereATaskIsNotWell) {
  server_.on("GET /v1/tasks", 200, R"({"tasks":[]})");
  EXPECT_EQ(run({"health"}).code, kExitOk);
  write("vorc.json", R"({"services": {"web": {"image": "web:1"}}})");
  EXPECT_EQ(run({"health", "-f", "vorc.json"}).code, kExitNotFound);
  EXPECT_THAT(server_.asked().back(), testing::StartsWith("GET /v1/tasks?stack=shop"));
  EXPECT_EQ(run({"health", "-f", "other.json"}).code, kExitNotFound);
}

TEST_F(CliTest, HealthSaysHowEachTaskIs) {
  std::string bad = kTasks;
  bad.replace(bad.find(R"("RUNNING")"), 9, R"("RUNNING","health":"HEALTH_BAD","healthMessage":"no answer")");
  server_.on("GET /v1/tasks", 200, kTasks);
  server_.on("GET /v1/tasks", 200, bad);
  const auto good = run({"health"});
  EXPECT_EQ(good.code, kExitOk);
  EXPECT_THAT(good.out, HasSubstr("shop/web.1  runs, unchecked"));
  const auto ill = run({"health"});
  EXPECT_EQ(ill.code, kExitFailed);
  EXPECT_THAT(ill.out, HasSubstr("shop/web.1  unhealthy  no answer"));
  EXPECT_THAT(ill.err, HasSubstr("1 of 1 tasks isn't well"));
  const auto json = run({"health", "-o", "json"});
  EXPECT_EQ(json.out, bad + "\n");
  EXPECT_EQ(json.code, kExitFailed);
}

TEST_F(CliTest, InitWritesAStarterAndShowsNoSecret) {
  EXPECT_THAT(run({"init", "--list", "-o", "name"}).out, AllOf(HasSubstr("wordpress\n"), HasSubstr("minio\n")));
  EXPECT_THAT(run({"init", "--list"}).out, HasSubstr("WordPress with MariaDB."));
  EXPECT_THAT(run({"init"}).out, HasSubstr("WordPress with MariaDB."));
  EXPECT_THAT(run({"init", "--list", "-o", "json"}).out, testing::StartsWith(R"({"starters":[{"name":"gitea")"));
  EXPECT_EQ(run({"init", "wordpres"}).code, kExitNotFound);

  const auto made = run({"init", "minio", "--dir", "store"});
  EXPECT_EQ(made.code, kExitOk) << made.err;
  EXPECT_THAT(made.out, HasSubstr("compose.yaml\n"));
  EXPECT_THAT(made.err, AllOf(HasSubstr("secrets/root-password holds random text"), HasSubstr("cd store")));
  std::ifstream file(folder_ / "store/secrets/root-password");
  std::string secret;
  file >> secret;
  EXPECT_EQ(secret.size(), 32u);
  EXPECT_THAT(made.out + made.err + run({"config", "-f", "store/compose.yaml"}).err, Not(HasSubstr(secret)));
  const auto again = run({"init", "minio", "--dir", "store"});
  EXPECT_EQ(again.code, kExitConflict);
  EXPECT_THAT(again.err, HasSubstr("compose.yaml"));
  EXPECT_THAT(server_.asked(), IsEmpty());
}

TEST_F(CliTest, ExplainSaysWhatAKeyMeans) {
  const auto interval = run({"explain", "services.healthcheck.interval"});
  EXPECT_EQ(interval.code, kExitOk);
  EXPECT_EQ(interval.out,
            "key        services.healthcheck.interval\nmeaning    time between checks\ntype       text\n"
            "supported  yes\ndefault    30s\nexample    interval: 1s\n");
  EXPECT_THAT(run({"explain", "services.healthcheck"}).out, AllOf(HasSubstr("\n\nKEY "), HasSubstr("start_period")));
  EXPECT_THAT(run({"explain"}).out, HasSubstr("services   map   yes        what runs"));
  EXPECT_THAT(run({"explain", "develop"}).out, HasSubstr("supported  no: remove it; watch your files"));
  EXPECT_EQ(run({"explain", "deploy.resources", "-o", "name"}).out, "limits\nreservations\n");
  EXPECT_THAT(run({"explain", "services.init", "-o", "json"}).out,
              HasSubstr(R"("supported":true,"note":"","default":"false")"));
  const auto unknown = run({"explain", "services.imgae"});
  EXPECT_EQ(unknown.code, kExitNotFound);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean `services.image`?"));
  EXPECT_THAT(server_.asked(), IsEmpty());
}

TEST_F(CliTest, ListsGoOnUntilTheLastPage) {
  std::string first = kTasks;
  first.replace(first.find("\"nextPageToken\":\"\""), 18, R"("nextPageToken":"p2")");
  server_.on("GET /v1/tasks", 200, first);
  server_.on("GET /v1/tasks", 200, kTasks);
  EXPECT_EQ(run({"ps", "-o", "name"}).out, "shop/web.1\nshop/web.1\n");
  EXPECT_THAT(server_.asked().back(), HasSubstr("pageToken=p2"));
}

TEST_F(CliTest, AddressesNameTheStackOrTakeItFromTheFile) {
  server_.on("POST /v1/stacks/shop/services/web/scale", 200, "{}");
  EXPECT_EQ(run({"scale", "shop/web=3"}).code, kExitOk);
  EXPECT_EQ(run({"scale", "web=3", "--stack", "shop"}).code, kExitOk);
  const auto unknown = run({"scale", "web=3"});
  EXPECT_EQ(unknown.code, kExitUsage);
  EXPECT_THAT(unknown.err, HasSubstr("which stack? Name it with --stack"));
  write("compose.yaml", kCompose);
  EXPECT_EQ(run({"scale", "web=3"}).code, kExitOk);
  EXPECT_EQ(server_.asked().size(), 3u);
  EXPECT_THAT(server_.asked().back(),
              AllOf(HasSubstr("/v1/stacks/shop/services/web/scale"), HasSubstr("\"replicas\":3")));
  for (const auto* broken : {"web", "web=", "web=many", "web=-1", "web.2=3"})
    EXPECT_EQ(run({"scale", broken}).code, kExitUsage) << broken;
  EXPECT_EQ(server_.asked().size(), 3u);
}

TEST_F(CliTest, ATemplatePrintsALineForEachItem) {
  std::string first = kTasks;
  first.replace(first.find("\"nextPageToken\":\"\""), 18, R"("nextPageToken":"p2")");
  server_.on("GET /v1/tasks", 200, first);
  server_.on("GET /v1/tasks", 200, kTasks);
  EXPECT_EQ(run({"ps", "-o", "template={meta.stack}: {status.state}{status.none}"}).out,
            "shop: RUNNING\nshop: RUNNING\n");
  EXPECT_THAT(run({"ps", "-o", "template="}).out,
              AllOf(testing::StartsWith("meta.name\nmeta.stack\n"), HasSubstr("spec.assignment.ports.hostPort\n")));
  const auto asked = server_.asked().size();
  const auto broken = run({"ps", "-o", "template={meta.name"});
  EXPECT_EQ(broken.code, kExitUsage);
  EXPECT_THAT(broken.err, HasSubstr("orchion: `{meta.name` has no closing brace"));
  EXPECT_EQ(server_.asked().size(), asked);
}

TEST_F(CliTest, WhatIsInspectedIsPrintedInEveryFormat) {
  server_.on("GET /v1/stacks/shop/services/web", 200, R"({"meta":{"name":"web","stack":"shop"},"spec":{}})");
  server_.on("GET /v1/stacks/shop/tasks/web.2", 200,
             R"({"meta":{"name":"web.2.abc","stack":"shop"},"spec":{"service":"web","slot":2}})");
  server_.on("GET /v1/nodes/nas", 200, R"({"meta":{"name":"nas","stack":""}})");
  EXPECT_EQ(run({"inspect", "shop/web", "-o", "name"}).out, "shop/web\n");
  EXPECT_EQ(run({"inspect", "shop/web.2", "-o", "name"}).out, "shop/web.2\n");
  EXPECT_EQ(run({"node", "inspect", "nas", "-o", "name"}).out, "nas\n");
  EXPECT_EQ(run({"node", "inspect", "nas", "-o", "template=<{meta.name}>"}).out, "<nas>\n");
  EXPECT_EQ(run({"node", "inspect", "nas", "-o", "template="}).out, "meta.name\nmeta.stack\n");
  EXPECT_EQ(run({"node", "inspect", "nas", "-o", "wide"}).out, run({"node", "inspect", "nas", "-o", "yaml"}).out);
}

TEST_F(CliTest, EveryListHasFurtherColumns) {
  const std::map<std::string, std::vector<std::string>> lists = {{"tasks", {"ps"}},
                                                                 {"stacks", {"stack", "ls"}},
                                                                 {"nodes", {"node", "ls"}},
                                                                 {"images", {"image", "ls"}},
                                                                 {"events", {"events"}}};
  for (const auto& [name, words] : lists) {
    server_.on("GET /v1/" + name, 200, fmt::format(R"({{"{}":[{{"meta":{{"name":"one"}}}}]}})", name));
    auto wide = words;
    wide.insert(wide.end(), {"-o", "wide"});
    auto line = words;
    line.insert(line.end(), {"-o", "template={meta.name}"});
    EXPECT_GT(run(wide).out.find('\n'), run(words).out.find('\n')) << name;
    EXPECT_EQ(run(line).out, "one\n");
  }
}

TEST_F(CliTest, LinesOfAStreamArePrintedAsTheyCome) {
  server_.on("GET /v1/logs", 200,
             "data: {\"service\":\"web\",\"slot\":2,\"line\":\"hello\"}\n\n"
             "data: {\"service\":\"web\",\"slot\":1,\"line\":\"there\"}\n\n");
  EXPECT_EQ(run({"logs", "shop/web", "-o", "template={slot} {line}"}).out, "2 hello\n1 there\n");
  EXPECT_EQ(
      run({"logs", "shop/web", "-o", "json"}).out,
      "{\"service\":\"web\",\"slot\":2,\"line\":\"hello\"}\n{\"service\":\"web\",\"slot\":1,\"line\":\"there\"}\n");
}

TEST_F(CliTest, CompletionOffersWhatTheServerHas) {
  server_.on("GET /v1/stacks", 200,
             R"({"stacks":[{"meta":{"name":"shop"},"spec":{"services":[{"name":"web"},{"name":"db"}]}}]})");
  server_.on("GET /v1/tasks", 200, kTasks);
  server_.on("GET /v1/nodes", 200, R"({"nodes":[{"meta":{"name":"nas"}},{"meta":{"name":"attic"}}]})");
  server_.on("GET /v1/images", 200, R"({"images":[{"meta":{"name":"web:1"}}]})");
  EXPECT_EQ(run({"__complete", "scal"}).out, "scale\tChange how many tasks a service has\n");
  EXPECT_EQ(run({"__complete", "scale", ""}).out, "shop/web\t\nshop/db\t\n");
  EXPECT_EQ(run({"__complete", "--stack", "shop", "scale", "w"}).out, "web\t\n");
  EXPECT_EQ(run({"__complete", "logs", "shop"}).out, "shop\t\nshop/web\t\nshop/db\t\nshop/web.1\t\n");
  EXPECT_EQ(run({"__complete", "node", "drain", "n"}).out, "nas\t\n");
  EXPECT_EQ(run({"__complete", "image", "rm", ""}).out, "web:1\t\n");
  EXPECT_EQ(run({"__complete", "--stack", ""}).out, "shop\t\n");
  EXPECT_EQ(run({"__complete", "server", "--log-level", "w"}).out, "warn\t\n");
}

TEST_F(CliTest, CompletionIsSilentWithoutAServer) {
  const auto outcome = run({"__complete", "--server", "unix:" + (folder_ / "none.sock").string(), "logs", ""});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.out + outcome.err, "");
  EXPECT_EQ(run({"__complete", "--server", "nonsense", "logs", ""}).err, "");
  EXPECT_EQ(run({"__complete"}).code, kExitOk);
}

TEST_F(CliTest, TheManualIsWrittenToAFolder) {
  EXPECT_THAT(run({"man"}).out, testing::StartsWith(".TH \"ORCHION\" 1"));
  EXPECT_EQ(run({"man", "pages/man1"}).code, kExitOk);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "pages/man1/orchion-node-ls.1"));
}

TEST_F(CliTest, AContextNamesTheServer) {
  ::unsetenv("ORCHION_SERVER");
  server_.on("GET /v1/nodes", 200, R"({"nodes":[{"meta":{"name":"nas"}}]})");
  write("token", "very-secret");
  EXPECT_EQ(run({"context", "add", "here", server_.url(), "--token-file", "token"}).code, kExitOk);
  EXPECT_EQ(run({"context", "add", "here", server_.url()}).code, kExitConflict);
  EXPECT_EQ(run({"context", "use", "her"}).err, "orchion: there is no context her: did you mean `here`?\n");
  EXPECT_EQ(run({"context", "use", "here"}).err, "here is the current context\n");
  EXPECT_EQ(run({"node", "ls", "-o", "name"}).out, "nas\n");
  EXPECT_THAT(run({"context", "ls"}).out, HasSubstr("here     " + server_.url() + "  current"));
  EXPECT_THAT(run({"context", "ls", "-o", "json"}).out, Not(HasSubstr("very-secret")));
  EXPECT_EQ(run({"context", "ls", "-o", "template={name} {tokenFile}"}).out,
            "here " + (folder_ / "token").string() + "\n");
  EXPECT_THAT(run({"context", "show"}).out, AllOf(HasSubstr("name: here"), HasSubstr(server_.url())));
  EXPECT_EQ(run({"__complete", "context", "use", "h"}).out, "here\t\n");
  EXPECT_EQ(run({"node", "ls", "--server", "unix:" + (folder_ / "none").string()}).code, kExitUnreachable);
  EXPECT_THAT(run({"context", "rm", "here"}).err, HasSubstr("the server of this machine is meant"));
  EXPECT_EQ(run({"context", "ls", "-o", "name"}).out, "");
  EXPECT_EQ(run({"context", "rm", "here"}).code, kExitNotFound);
}

TEST_F(CliTest, AContextIsWrittenOnlyWhereItMakesSense) {
  EXPECT_EQ(run({"context", "add", "nas", "nonsense"}).code, kExitUsage);
  EXPECT_EQ(run({"context", "add", "a b", server_.url()}).code, kExitUsage);
  EXPECT_EQ(run({"context", "add", "nas", server_.url(), "--token-file", "none"}).code, kExitNotFound);
  EXPECT_EQ(run({"context", "ls", "-o", "name"}).out, "");
}

TEST_F(CliTest, TheServerOfAContextIsNotStartedHereAndServersDontAskForOne) {
  ::unsetenv("ORCHION_SERVER");
  write("compose.yaml", kCompose);
  int started = 0;
  hooks_.start_server = [&started](const client::ConnectionSettings&) -> base::Result<> {
    ++started;
    return base::fail(base::Code::kFailedPrecondition, "no");
  };
  std::optional<std::filesystem::path> contexts;
  hooks_.server = [&contexts](Context& context, const ServerFlags&) {
    contexts = context.options().connection.contexts;
    return kExitOk;
  };
  (void)run({"context", "add", "away", "unix:" + (folder_ / "none").string(), "--use"});
  EXPECT_EQ(run({"up"}).code, kExitUnreachable);
  EXPECT_EQ(started, 0);
  EXPECT_EQ(run({"server"}).code, kExitOk);
  EXPECT_FALSE(contexts);
}

TEST_F(CliTest, DoctorSaysWhatIsWrongAndItsBundleHoldsNoSecret) {
  server_.on("GET /v1/server", 200, R"({"version":"9.8.7"})");
  server_.on("GET /v1/stacks", 200,
             R"({"stacks":[{"meta":{"name":"shop"},"spec":{"services":[{"name":"web","spec":{"container":)"
             R"({"environment":[{"name":"PASSWORD","value":"hunter2"}]}}}],"secrets":[{"data":"aHVudGVyMg"}]}}]})");
  server_.on("GET /v1/tasks", 200, R"({"tasks":[{"spec":{"container":{"environment":[{"value":"hunter2"}]}}}]})");
  server_.on("GET /v1/services", 200, R"({"services":[{"spec":{"environment":{"PASSWORD":"hunter2"}}}]})");
  write("token", "hunter2");
  std::filesystem::permissions(folder_ / "token", std::filesystem::perms(0644));
  const auto outcome =
      run({"doctor", "--token-file", "token", "--data", folder_.string(), "--bundle", "bundle.tar.gz"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("✔ a server answers at " + server_.url() + ": orchion 9.8.7\n"),
                                 HasSubstr("✖ others may read the token in token: chmod 600 token\n")));
  const auto unpacked = base::run_checked({.arguments = {"tar", "-xzOf", "bundle.tar.gz"}});
  ASSERT_TRUE(unpacked);
  EXPECT_THAT(*unpacked, AllOf(HasSubstr("orchion 1.2.3\n"), HasSubstr("✖ others may read the token"),
                               HasSubstr("PASSWORD"), HasSubstr("<redacted>"), HasSubstr("\"shop\"")));
  EXPECT_THAT(*unpacked, AllOf(Not(HasSubstr("hunter2")), Not(HasSubstr("aHVudGVyMg"))));
  const auto listed = base::run_checked({.arguments = {"tar", "-tzf", "bundle.tar.gz"}});
  EXPECT_THAT(*listed, AllOf(HasSubstr("orchion-bundle/events.json"), HasSubstr("orchion-bundle/services.json")));
  EXPECT_EQ(std::filesystem::status("bundle.tar.gz").permissions(), std::filesystem::perms(0600));
}

TEST_F(CliTest, DoctorWithoutAServerSaysHowToStartOne) {
  const auto outcome = run({"doctor", "--server", "unix:" + (folder_ / "none").string(), "--bundle", "b.tar.gz"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.out, AllOf(testing::StartsWith("✖ "), HasSubstr("start one with `orchion server`")));
  EXPECT_TRUE(std::filesystem::exists("b.tar.gz"));
}

struct Failure {
  int status;
  std::string code;
  int exit;
};

class ExitCodes : public CliTest, public testing::WithParamInterface<Failure> {};

TEST_P(ExitCodes, FollowTheServersCode) {
  server_.on("GET /v1/nodes", GetParam().status,
             fmt::format(R"({{"code":"{}","detail":"why, and what to do"}})", GetParam().code));
  const auto outcome = run({"node", "ls"});
  EXPECT_EQ(outcome.code, GetParam().exit);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "orchion: why, and what to do\n");
}

INSTANTIATE_TEST_SUITE_P(Table, ExitCodes,
                         testing::Values(Failure{404, "NOT_FOUND", 3}, Failure{403, "PERMISSION_DENIED", 4},
                                         Failure{409, "ALREADY_EXISTS", 5}, Failure{412, "ABORTED", 5},
                                         Failure{503, "UNAVAILABLE", 6}, Failure{504, "DEADLINE_EXCEEDED", 7},
                                         Failure{400, "INVALID_ARGUMENT", 1}, Failure{500, "INTERNAL", 1}));

TEST_F(CliTest, WithoutAServerItSaysHowToStartOne) {
  const auto outcome = run({"ps", "--server", "unix:" + (folder_ / "none.sock").string()});
  EXPECT_EQ(outcome.code, kExitUnreachable);
  EXPECT_THAT(outcome.err, HasSubstr("start one with `orchion server`, or with `orchion up`"));
}

TEST_F(CliTest, AFileThatIsWrongIsToldLineByLine) {
  write("compose.yaml", "services:\n  web:\n    imgae: x\n    credential_spec: {}\n");
  for (const auto* command : {"up", "plan", "config"}) {
    const auto outcome = run({command});
    EXPECT_EQ(outcome.code, kExitFailed);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(
        outcome.err,
        HasSubstr(
            "compose.yaml:3:5: `imgae` isn't a key of a service: did you mean `image`?\n"
            "compose.yaml:4:5: `credential_spec` isn't supported: it means something on Windows only: remove it\n"));
  }
  EXPECT_THAT(server_.asked(), IsEmpty());
}

TEST_F(CliTest, ConfigNeedsNoServer) {
  write("compose.yaml", "services: {web: {image: \"web:${TAG}\"}}\n");
  write(".env", "TAG=7\n");
  const auto outcome = run({"config", "--stack", "other"});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("name: other\n"), HasSubstr("image: \"web:7\"")));
  EXPECT_THAT(server_.asked(), IsEmpty());
}

constexpr const char* kPlanned =
    R"({"stack":{"meta":{"name":"shop","generation":"1"},"spec":{"services":[{"name":"web","spec":{"replicas":1}}]}},)"
    R"("plan":{"changes":[{"kind":"Service","name":"web","action":"CREATE","tasksAfter":1}],"baseRevision":"0"}})";

std::string watch_event(const std::string& json) {
  return "id: e.1\ndata: " + json + "\n\n";
}

TEST_F(CliTest, PlanTellsByItsExitCodeWhetherAnythingWouldChange) {
  write("compose.yaml", kCompose);
  server_.on("PUT /v1/stacks/shop", 200, kPlanned);
  EXPECT_EQ(run({"plan"}).code, kExitOk);
  EXPECT_EQ(run({"plan", "--exit-code"}).code, kExitChanges);
  EXPECT_THAT(server_.asked(), testing::Each(HasSubstr("\"dryRun\":true")));
  write("compose.yaml", std::string("name: same\n") + kCompose);
  server_.on("PUT /v1/stacks/same", 200, R"({"plan":{"changes":[{"kind":"Service","name":"web","action":"NONE"}]}})");
  EXPECT_EQ(run({"plan", "--exit-code"}).code, kExitOk);
  write("compose.yaml", std::string("name: none\n") + kCompose);
  EXPECT_EQ(run({"plan", "--exit-code"}).code, kExitNotFound) << "an error keeps its code";
}

TEST_F(CliTest, UpShowsThePlanAppliesItWaitsAndNamesTheUrl) {
  write("compose.yaml", kCompose);
  server_.on("GET /v1/server", 200, "{}");
  server_.on("PUT /v1/stacks/shop", 200, kPlanned);
  server_.on("GET /v1/watch", 200,
             watch_event(R"({"type":"PUT","stack":{"meta":{"name":"shop"},"status":{"observedGeneration":"1"}}})") +
                 watch_event(R"({"type":"PUT","service":{"meta":{"name":"web","stack":"shop","generation":"1"},)"
                             R"("status":{"observedGeneration":"1","revision":"web.1"}}})") +
                 watch_event(R"({"type":"PUT","task":{"meta":{"uid":"u","stack":"shop"},"spec":{"service":"web",)"
                             R"("slot":1,"revision":"web.1","assignment":{"node":"n","ports":[{"hostPort":8080,)"
                             R"("containerPort":80,"protocol":"tcp"}]}},"status":{"state":"RUNNING"}}})") +
                 watch_event(R"({"type":"SYNCED"})"));
  const auto outcome = run({"up", "--wait"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(outcome.out, "http://localhost:8080\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("+ service web (tasks 0 → 1)\n"), HasSubstr("shop: web 1/1"),
                                 HasSubstr("next: orchion ps --stack shop")));
  const auto asked = server_.asked();
  ASSERT_EQ(asked.size(), 4u);
  EXPECT_THAT(asked[1], HasSubstr("\"dryRun\":true"));
  EXPECT_THAT(asked[2], AllOf(HasSubstr("\"baseRevision\":\"0\""), testing::Not(HasSubstr("\"dryRun\":true"))));
}

TEST_F(CliTest, NodesAreTaintedAndLabelledAsPeopleWriteIt) {
  server_.on("POST /v1/nodes/nas/placement", 200,
             R"({"meta":{"name":"nas"},"spec":{"taints":[{"key":"gpu","value":"only","effect":"NO_TASKS"}],)"
             R"("labels":{"zone":"home","disk":"ssd"}}})");
  const auto tainted =
      run({"node", "taint", "nas", "gpu=only:NoExecute", "a.b/c:no-new-tasks", "old-", "x=1:NoSchedule-"});
  EXPECT_EQ(tainted.code, kExitOk) << tainted.err;
  EXPECT_EQ(tainted.err, "nas has the taints gpu=only:no-tasks\n");
  EXPECT_THAT(server_.asked().back(),
              AllOf(HasSubstr(R"("taints":[{"key":"gpu","value":"only","effect":"NO_TASKS"})"), HasSubstr(R"("a.b/c")"),
                    HasSubstr(R"("removeTaints":["old","x:NO_NEW_TASKS"])")));
  EXPECT_EQ(run({"node", "label", "nas", "disk=ssd", "rank-"}).err, "nas has the labels disk=ssd, zone=home\n");
  EXPECT_THAT(server_.asked().back(),
              AllOf(HasSubstr(R"("labels":{"disk":"ssd"})"), HasSubstr(R"("removeLabels":["rank"])")));

  const auto asked = server_.asked().size();
  for (const char* wrong : {"gpu", "gpu=only", "gpu:Sometimes"}) {
    const auto refused = run({"node", "taint", "nas", wrong});
    EXPECT_EQ(refused.code, kExitUsage) << wrong;
    EXPECT_THAT(refused.err, HasSubstr("NoSchedule")) << wrong;
  }
  EXPECT_EQ(run({"node", "label", "nas", "disk"}).code, kExitUsage);
  EXPECT_EQ(run({"node", "reserve", "nas"}).code, kExitUsage);
  EXPECT_EQ(run({"node", "reserve", "nas", "--memory", "much"}).code, kExitUsage);
  EXPECT_EQ(server_.asked().size(), asked);
}

TEST_F(CliTest, RebalancingShowsWhatItDoesAndWaitsForIt) {
  const std::string move =
      R"({"stack":"shop","slot":"web.1","taskUid":"u1","from":"nas","to":"nuc","reason":"node nas has 2 tasks"})";
  const std::string none = R"({"moves":[],"nodes":[]})";
  server_.on("POST /v1/nodes/rebalance", 200, none);
  for (int i = 0; i < 3; ++i) server_.on("POST /v1/nodes/rebalance", 200, "{\"moves\":[" + move + "]}");
  server_.on("POST /v1/nodes/rebalance", 200, "{\"underWay\":[" + move + "]}");
  const std::string stays = R"({"meta":{"uid":"u1"},"spec":{"changes":[{"reason":"NotMoved","message":"no room"}]}})";
  server_.on("GET /v1/watch", 200,
             watch_event(R"({"type":"PUT","task":)" + stays + "}") + watch_event(R"({"type":"SYNCED"})"));

  const auto nothing = run({"node", "rebalance"});
  EXPECT_EQ(nothing.code, kExitOk);
  EXPECT_THAT(nothing.err, HasSubstr("nothing to move"));
  EXPECT_THAT(server_.asked().back(), HasSubstr(R"("movesMax":10)"));

  const auto dry = run({"node", "rebalance", "--dry-run", "--max-moves", "3"});
  EXPECT_EQ(dry.code, kExitOk);
  EXPECT_EQ(dry.out,
            "TASK        FROM  TO   WHY\n"
            "shop/web.1  nas   nuc  node nas has 2 tasks\n");
  EXPECT_THAT(server_.asked().back(), AllOf(HasSubstr(R"("movesMax":3)"), HasSubstr(R"("dryRun":true)")));

  EXPECT_THAT(run({"node", "rebalance", "--detach"}).err, HasSubstr("1 move asked for"));

  const auto failed = run({"node", "rebalance"});
  EXPECT_EQ(failed.code, kExitFailed);
  EXPECT_EQ(failed.err, "orchion: shop/web.1 did not move: it stays on nas: no room\nmoved 0 of 1 task\n");

  const auto under_way = run({"node", "rebalance", "--dry-run"});
  EXPECT_EQ(under_way.code, kExitOk);
  EXPECT_THAT(under_way.err, HasSubstr("1 move under way already"));

  EXPECT_EQ(run({"node", "rebalance", "--max-moves", "0"}).code, kExitUsage);
  EXPECT_EQ(run({"node", "rebalance", "--max-moves", "101"}).code, kExitUsage);
}

TEST_F(CliTest, WhatIsNotNamedStaysReserved) {
  server_.on("GET /v1/nodes/nas", 200,
             R"({"meta":{"name":"nas"},"spec":{"reserved":{"nanoCpus":"1000000000","memoryBytes":"5"}}})");
  server_.on("POST /v1/nodes/nas/placement", 200,
             R"({"meta":{"name":"nas"},"spec":{"reserved":{"nanoCpus":"1000000000","memoryBytes":"2147483648"}}})");
  const auto kept = run({"node", "reserve", "nas", "--memory", "2g"});
  EXPECT_EQ(kept.code, kExitOk) << kept.err;
  EXPECT_EQ(kept.err, "nas keeps 1 CPUs, 2 GiB for itself\n");
  EXPECT_THAT(server_.asked().back(),
              AllOf(HasSubstr(R"("nanoCpus":"1000000000")"), HasSubstr(R"("memoryBytes":"2147483648")")));
}

TEST_F(CliTest, UpNamesTheUrlsOfRoutes) {
  write("compose.yaml", kCompose);
  server_.on("GET /v1/server", 200, "{}");
  server_.on(
      "PUT /v1/stacks/shop", 200,
      R"({"stack":{"meta":{"name":"shop","generation":"1"},"spec":{"services":[{"name":"web","spec":{"replicas":0,)"
      R"("routes":[{"name":"route"}]}}]}},"plan":{"baseRevision":"0"}})");
  server_.on("GET /v1/watch", 200,
             watch_event(R"({"type":"PUT","stack":{"meta":{"name":"shop"},"status":{"observedGeneration":"1"}}})") +
                 watch_event(R"({"type":"PUT","service":{"meta":{"name":"web","stack":"shop","generation":"1"},)"
                             R"("status":{"observedGeneration":"1","revision":"web.1"}}})") +
                 watch_event(R"({"type":"SYNCED"})"));
  server_.on("GET /v1/routes", 200,
             R"({"routes":[{"stack":"shop","service":"web","addresses":["http://a.test/","http://b.test/"],)"
             R"("message":"no task of the service answers"}]})");
  const auto outcome = run({"up"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(outcome.out, "http://a.test/\nhttp://b.test/\n");
  EXPECT_THAT(outcome.err, HasSubstr("no request reaches shop/web yet: no task of the service answers\n"));
}

TEST_F(CliTest, UpDetachedDoesNotWatch) {
  write("compose.yaml", kCompose);
  server_.on("GET /v1/server", 200, "{}");
  server_.on("PUT /v1/stacks/shop", 200, kPlanned);
  EXPECT_EQ(run({"up", "-d"}).code, kExitOk);
  EXPECT_EQ(server_.asked().size(), 3u);
}

TEST_F(CliTest, UpSaysWhyItCannot) {
  write("compose.yaml", kCompose);
  server_.on("GET /v1/server", 200, "{}");
  server_.on("PUT /v1/stacks/shop", 200, kPlanned);
  server_.on("PUT /v1/stacks/shop", 412, R"({"code":"ABORTED","detail":"stack shop was changed by somebody else"})");
  const auto outcome = run({"up"});
  EXPECT_EQ(outcome.code, kExitConflict);
  EXPECT_THAT(outcome.err, HasSubstr("orchion: stack shop was changed by somebody else\n"));
}

TEST_F(CliTest, UpStartsAServerOnlyWhereNoneWasNamed) {
  write("compose.yaml", kCompose);
  int started = 0;
  hooks_.start_server = [&started](const client::ConnectionSettings&) -> base::Result<> {
    ++started;
    return base::fail(base::Code::kFailedPrecondition, "there is no runtime: install crun");
  };
  const auto named = run({"up", "--server", "unix:" + (folder_ / "none.sock").string()});
  EXPECT_EQ(named.code, kExitUnreachable);
  EXPECT_EQ(started, 0);
  ::unsetenv("ORCHION_SERVER");
  const auto local = run({"up", "--data", (folder_ / "data").string()});
  EXPECT_EQ(started, 1);
  EXPECT_EQ(local.code, kExitFailed);
  EXPECT_THAT(local.err, HasSubstr("orchion: there is no runtime: install crun\n"));
}

TEST_F(CliTest, DownWaitsUntilTheStackIsGone) {
  server_.on("DELETE /v1/stacks/shop", 200, "{}");
  server_.on("GET /v1/stacks/shop", 200, "{}");
  server_.on("GET /v1/stacks/shop", 404, R"({"code":"NOT_FOUND","detail":"gone"})");
  const auto outcome = run({"down", "--stack", "shop", "--volumes", "--yes"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(server_.asked(),
              ElementsAre("DELETE /v1/stacks/shop?volumes=true", "GET /v1/stacks/shop", "GET /v1/stacks/shop"));
  EXPECT_EQ(run({"down", "--stack", "other"}).code, kExitNotFound);
}

TEST_F(CliTest, LogsGoToStandardOutputAndNoticesBesides) {
  server_.on("GET /v1/logs/text", 200, "web.2 | hello\n-- the logs of node nas are missing --\nweb.2 | a | b\n");
  const auto outcome = run({"logs", "shop/web.2", "--tail", "5", "--grep", "a b"});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.out, "web.2 | hello\nweb.2 | a | b\n");
  EXPECT_EQ(outcome.err, "orchion: the logs of node nas are missing\n");
  EXPECT_THAT(server_.asked(), ElementsAre("GET /v1/logs/text?stack=shop&service=web&slot=2&tail=5&grep=a%20b"));
  EXPECT_EQ(run({"logs", "shop/web", "--no-prefix"}).out, "hello\na | b\n");
  EXPECT_EQ(run({"logs", "shop/web", "--since", "soon"}).code, kExitUsage);
  EXPECT_EQ(run({"logs", "shop/web", "--grep", "("}).code, kExitUsage);
  EXPECT_EQ(run({"logs", "shop/web", "--field", "status"}).code, kExitUsage);
  EXPECT_EQ(run({"logs", "shop/web", "--level", "wran"}).code, kExitUsage);
  EXPECT_EQ(run({"logs", "shop/web", "--all"}).code, kExitUsage);
}

TEST_F(CliTest, LogsAreAskedForAsTheOptionsSay) {
  server_.on("GET /v1/logs/text", 200, "");
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"logs", "--all", "--level", "warn", "-t"},
           {"logs", "--node", "nas", "--previous"},
           {"logs", "--task", "abc"},
           {"logs", "--stack", "shop", "-F", "--grep", "(", "--field", "a.b=c=d"},
       })
    EXPECT_EQ(run(words).code, kExitOk);
  EXPECT_THAT(server_.asked(), ElementsAre("GET /v1/logs/text?level=LOG_LEVEL_WARNING&timestamps=true",
                                           "GET /v1/logs/text?node=nas&previous=true", "GET /v1/logs/text?taskUid=abc",
                                           "GET /v1/logs/text?stack=shop&grep=%28&fixed=true&fields=a.b%3Dc%3Dd"));
}

TEST_F(CliTest, StopAllGoesThroughEveryPage) {
  server_.on("GET /v1/stacks", 200, R"({"stacks":[{"meta":{"name":"a"}},{"meta":{"name":"b"}}],"nextPageToken":"t1"})");
  server_.on("GET /v1/stacks", 200, R"({"stacks":[{"meta":{"name":"c"}}],"nextPageToken":""})");
  for (const char* name : {"a", "b", "c"}) server_.on(std::string("DELETE /v1/stacks/") + name, 200, "{}");
  const auto stopped = run({"stop-all", "--yes"});
  EXPECT_EQ(stopped.code, kExitOk) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("3 stacks stopped"));
  EXPECT_THAT(server_.asked(), testing::Contains(HasSubstr("pageToken=t1")));
  for (const char* name : {"a", "b", "c"})
    EXPECT_THAT(server_.asked(), testing::Contains(testing::StartsWith(std::string("DELETE /v1/stacks/") + name)));
}

TEST_F(CliTest, InspectTakesAStackWhereNoServiceIsMeant) {
  server_.on("GET /v1/stacks/shop", 200, R"({"meta":{"name":"shop"}})");
  EXPECT_THAT(run({"inspect", "shop"}).out, HasSubstr("shop"));
  write("compose.yaml", kCompose);
  server_.on("GET /v1/stacks/shop/services/web", 200, R"({"meta":{"name":"web"},"spec":{}})");
  EXPECT_THAT(run({"inspect", "web"}).out, HasSubstr("web"));
  EXPECT_EQ(run({"inspect", "shop"}).code, kExitOk) << "the file's stack has no service of that name";
  EXPECT_EQ(run({"inspect", "none"}).code, kExitNotFound);
}

}  // namespace
}  // namespace orchion::cli
