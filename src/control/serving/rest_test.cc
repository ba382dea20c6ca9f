#include <set>

#include <gmock/gmock.h>

#include "control/serving/serving_fixture.h"

namespace orchion::control::serving {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class RestTest : public ServingTest {};

TEST_F(RestTest, UnaryWithETagAndRedaction) {
  const auto answer = send("GET", "/v1/stacks/my%20stack");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.header("ETag"), "\"42\"");
  EXPECT_EQ(answer.json().at("meta").at("name"), "my stack");
  EXPECT_THAT(answer.body, HasSubstr("<redacted>"));
  EXPECT_THAT(answer.body, Not(HasSubstr("hunter2")));
  EXPECT_EQ(handlers_.last_context.identity, "admin");
}

TEST_F(RestTest, ANameMayHaveSlashes) {
  const auto answer = send("GET", "/v1/images/docker.io%2Flibrary%2Fnginx:1.27");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json().at("meta").at("name"), "docker.io/library/nginx:1.27");
  EXPECT_EQ(send("GET", "/v1/images/docker.io/library/nginx:1.27").status, 404);
}

TEST_F(RestTest, AListThatStandsIsNotMadeAgain) {
  const auto set_bookmark = [&](const std::string& bookmark) {
    handlers_.bookmark = bookmark;
    handlers_.tasks.set_revision(bookmark);
    handlers_.tasks.add_tasks()->mutable_meta()->set_name("at-" + bookmark);
  };
  set_bookmark("e.7");
  const auto first = send("GET", "/v1/tasks?stack=a");
  EXPECT_EQ(send("GET", "/v1/tasks?stack=a").body, first.body);
  EXPECT_EQ(handlers_.lists, 1);
  EXPECT_EQ(send("GET", "/v1/tasks?stack=a", "", "bad").status, 401) << "who isn't let in gets nothing";
  EXPECT_NE(send("GET", "/v1/tasks?stack=b").body, first.body);
  EXPECT_EQ(handlers_.lists, 2);
  set_bookmark("e.8");
  EXPECT_THAT(send("GET", "/v1/tasks?stack=a").body, HasSubstr("at-e.8"));
  EXPECT_EQ(handlers_.lists, 3);
}

TEST_F(RestTest, QueryParametersInBothSpellings) {
  const auto answer = send("GET", "/v1/tasks?stack=a+b&pageSize=5&page_token=x&all");
  EXPECT_EQ(answer.json().at("nextPageToken"), R"(stack: "a b" all: true page_size: 5 page_token: "x")");
  EXPECT_EQ(answer.header("ETag"), "");
}

TEST_F(RestTest, BodyQueryAndHeadersMeet) {
  const auto answer = send("PUT", "/v1/stacks/web?dryRun=true", R"({"baseRevision":"3","spec":{}})", "good",
                           {{"If-Match", "\"42\""}, {"Idempotency-Key", "k1"}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(handlers_.last_apply.name(), "web");
  EXPECT_TRUE(handlers_.last_apply.dry_run());
  EXPECT_EQ(handlers_.last_apply.base_revision(), 3u);
  EXPECT_EQ(handlers_.last_context.if_match, 42u);
  EXPECT_EQ(handlers_.last_context.idempotency_key, "k1");
}

TEST_F(RestTest, ProblemsNameTheField) {
  const auto unknown = send("PUT", "/v1/stacks/web", R"({"spec":{"services":[{"nope":1}]}})");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(unknown.json().at("code"), "INVALID_ARGUMENT");
  EXPECT_EQ(unknown.json().at("errors").at(0).at("pointer"), "/spec/services/0/nope");
  EXPECT_EQ(
      unknown.json().at("detail"),
      "the body does not fit: /spec/services/0/nope is an unknown field: correct or remove it, see /openapi.json");
  const auto two = send("PUT", "/v1/stacks/web", R"({"spec":{"labels":{"a":{}}},"dryRun":"hunter2"})");
  EXPECT_EQ(two.json().at("errors").at(0).at("pointer"), "/spec/labels/a");
  EXPECT_EQ(two.json().at("errors").at(1).at("pointer"), "/dryRun");
  EXPECT_EQ(two.json().at("detail"),
            "the body does not fit: /spec/labels/a is not text (and 1 more): correct or remove it, see /openapi.json");
  EXPECT_THAT(two.body, Not(HasSubstr("hunter2"))) << "it may be a secret";
  EXPECT_EQ(send("PUT", "/v1/stacks/web", R"({"dry_run":"x"})").json().at("errors").at(0).at("pointer"), "/dry_run");
  EXPECT_EQ(send("PUT", "/v1/stacks/web", R"({"spec":[]})").json().at("errors").at(0).at("pointer"), "/spec");
  const auto no_list = send("PUT", "/v1/stacks/web", R"({"spec":{"services":[{"name":["a"]}]}})");
  EXPECT_EQ(no_list.json().at("errors").at(0).at("pointer"), "/spec/services/0/name") << no_list.body;
  EXPECT_EQ(send("PUT", "/v1/stacks/web", "{").status, 400);
  EXPECT_EQ(send("PUT", "/v1/stacks/web", R"({"name":"other"})").json().at("errors").at(0).at("pointer"), "/name");
  EXPECT_EQ(send("GET", "/v1/tasks?nope=1").json().at("errors").at(0).at("pointer"), "/nope");
  EXPECT_EQ(send("GET", "/v1/tasks?pageSize=x").json().at("errors").at(0).at("pointer"), "/pageSize");
  EXPECT_EQ(send("GET", "/v1/tasks?stack=%ff").status, 400);
  const auto handlers = send("PUT", "/v1/stacks/bad", "{}");
  EXPECT_EQ(handlers.json().at("errors").at(0).at("detail"), "has no image");
}

TEST_F(RestTest, CodesBecomeStatuses) {
  const auto none = send("GET", "/v1/stacks/none");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.json().at("detail"), "there is no stack none: see `orchion ps`");
  EXPECT_EQ(none.json().at("status"), 404);
  EXPECT_EQ(send("GET", "/v1/stacks/throw").status, 500);
  EXPECT_EQ(send("GET", "/v1/nodes").status, 501);
  EXPECT_EQ(send("PUT", "/v1/stacks/web", "{}", "good", {{"If-Match", "\"1\""}}).status, 412);
  EXPECT_EQ(send("PUT", "/v1/stacks/web", R"({"baseRevision":7})").status, 409);
  EXPECT_EQ(send("PUT", "/v1/stacks/web", "{}", "good", {{"If-Match", "oops"}}).status, 400);
  EXPECT_EQ(send("PUT", "/v1/stacks/web", "{\"a\":\"" + std::string(200'000, 'x') + "\"}").status, 413);
}

TEST_F(RestTest, AWriteRefusesWhatItDoesNotHeed) {
  const auto ask = [&](std::string verb, std::string path, std::string name, std::string value) {
    return send(verb, path, verb == "POST" ? "{}" : "", "good", {{name, value}});
  };
  for (const std::string tag : {"\"42\"", "*", "oops"}) {
    const auto answer = ask("POST", "/v1/images/pull", "If-Match", tag);
    EXPECT_EQ(answer.status, 400) << tag;
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(answer.json().at("code"), "INVALID_ARGUMENT");
    EXPECT_EQ(answer.json().at("detail"), "PullImage does not heed If-Match, so nothing was done: send it without");
  }
  EXPECT_THAT(ask("POST", "/v1/images/pull", "Idempotency-Key", "k").json().at("detail").as_string().c_str(),
              StartsWith("PullImage does not remember an Idempotency-Key"));
  EXPECT_EQ(ask("POST", "/v1/images/import", "If-Match", "\"42\"").status, 400) << "an upload is a write";
  EXPECT_EQ(ask("POST", "/v1/images/import", "Idempotency-Key", "k").status, 400);
  EXPECT_EQ(ask("DELETE", "/v1/stacks/a", "Idempotency-Key", "k").status, 501) << "it reached the handler";
  EXPECT_EQ(ask("GET", "/v1/stacks/a", "If-Match", "\"1\"").status, 200) << "a read has nothing to lose";
  EXPECT_EQ(ask("GET", "/v1/stacks/a", "Idempotency-Key", "k").status, 200);
  EXPECT_EQ(send("POST", "/v1/images/pull", "{}", "reader", {{"If-Match", "*"}}).status, 403)
      << "nothing is said before the caller is known";
}

TEST_F(RestTest, UnknownPathsAndMethods) {
  const auto nothing = send("GET", "/v1/nothing");
  EXPECT_EQ(nothing.status, 404);
  EXPECT_THAT(nothing.body, HasSubstr("there is nothing at /v1/nothing"));
  const auto method = send("POST", "/v1/stacks");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("Allow"), "GET");
  EXPECT_EQ(send("GET", "/v1/stacks/a%zz").status, 400);
  EXPECT_EQ(send("HEAD", "/v1/stacks/a").body, "");
}

TEST_F(RestTest, PagesNeedNoToken) {
  EXPECT_EQ(send("GET", "/livez", "", "").body, "ok\n");
  EXPECT_EQ(send("GET", "/readyz", "", "").status, 200);
  EXPECT_EQ(send("POST", "/livez", "", "").status, 405);
  const auto openapi = send("GET", "/openapi.json", "", "");
  EXPECT_EQ(openapi.json().at("openapi"), "3.1.0");
  const auto document = openapi.json();
  const auto& operation = document.at("paths").at("/v1/stacks/{name}").at("put");
  EXPECT_EQ(operation.at("operationId"), "ApplyStack");
  EXPECT_EQ(operation.at("parameters").at(0).at("in"), "path");
  std::set<std::string> others;
  for (const auto& parameter : operation.at("parameters").as_array()) {
    if (parameter.at("in") != "path") others.insert(parameter.at("name").as_string().c_str());
  }
  EXPECT_EQ(others, (std::set<std::string>{"dryRun", "If-Match", "Idempotency-Key"}));
  EXPECT_TRUE(operation.at("responses").as_object().contains("412"));
  const auto& watch = document.at("paths").at("/v1/watch").at("get");
  EXPECT_EQ(watch.at("parameters").as_array().back().at("name"), "Last-Event-ID");
  EXPECT_TRUE(watch.at("responses").at("200").at("content").as_object().contains("text/event-stream"));
  EXPECT_TRUE(openapi.json().at("components").at("schemas").as_object().contains("ServiceSpec"));
  EXPECT_EQ(send("GET", "/openapi.json", "", "").body, openapi.body);
}

TEST_F(RestTest, TheDocumentSaysWhatTheContractsCommentsSay) {
  const auto document = send("GET", "/openapi.json", "", "").json();
  const auto& remove = document.at("paths").at("/v1/stacks/{stack}/services/{name}").at("delete");
  EXPECT_EQ(remove.at("summary"), "Takes one service out of its stack's manifest");
  EXPECT_EQ(remove.at("description"),
            "Answers with the service as it goes; its tasks stop meanwhile.\n\norchion.v1.ServiceService.DeleteService "
            "over gRPC. Who calls needs services.write.");
  const auto& tail = document.at("paths").at("/v1/logs").at("get").at("parameters");
  std::set<std::string> descriptions;
  for (const auto& parameter : tail.as_array()) {
    if (const auto* said = parameter.as_object().if_contains("description"))
      descriptions.insert(said->as_string().c_str());
    EXPECT_FALSE(parameter.at("schema").as_object().contains("description")) << "it stands with the parameter";
  }
  EXPECT_TRUE(descriptions.contains("of each task; unset: all that is kept"));
  const auto& schemas = document.at("components").at("schemas");
  EXPECT_EQ(schemas.at("Revision").at("description"), "A service's immutable template. Named SERVICE.GENERATION.");
  EXPECT_EQ(schemas.at("Meta").at("properties").at("uid").at("description"), "never reused");
  EXPECT_EQ(schemas.at("FileMount").at("properties").at("content").at("description"),
            "Secret: answers have <redacted>.");
  EXPECT_EQ(schemas.at("NodeSpec").at("properties").at("availability").at("description"),
            "- `PAUSED`: keeps its tasks, gets no new ones\n- `DRAINED`: its tasks move away");
  const auto& start_period = schemas.at("HealthCheck").at("properties").at("startPeriod");
  EXPECT_EQ(start_period.at("description"), "failures don't count before; unset: none");
}

TEST_F(RestTest, StrangersHostsAndOriginsAreRefused) {
  const auto with = [&](std::string method, std::vector<std::pair<std::string, std::string>> headers) {
    return send(method, "/v1/stacks/a", method == "PUT" ? "{}" : "", "good", std::move(headers)).status;
  };
  const auto host = "127.0.0.1:" + std::to_string(http_port_);
  EXPECT_EQ(with("GET", {{"Host", "evil.example:4600"}}), 403);
  EXPECT_EQ(with("GET", {{"Host", "localhost:1"}}), 200);
  EXPECT_EQ(with("GET", {{"Host", "[::1]:1"}}), 200);
  EXPECT_EQ(with("PUT", {{"Origin", "http://evil.example"}}), 403);
  EXPECT_EQ(with("PUT", {{"Origin", "null"}}), 403);
  EXPECT_EQ(with("PUT", {{"Host", host}, {"Origin", "http://" + host}}), 200);
  EXPECT_EQ(with("GET", {{"Origin", "http://evil.example"}}), 200) << "the page cannot read the answer";
}

TEST_F(RestTest, PermissionsAreChecked) {
  EXPECT_EQ(send("GET", "/v1/stacks/a", "", "reader").status, 200);
  const auto refused = send("PUT", "/v1/stacks/a", "{", "reader");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.json().at("detail"), "reader lacks stacks.write: ask an administrator for it");
}

TEST_F(RestTest, UnixSocketNeedsTheTokenToo) {
  client_ = std::make_unique<wire::HttpClient>(client_loop_.executor(),
                                               wire::Endpoint{wire::Transport::kUnix, folder_ / "s.sock"});
  EXPECT_EQ(send("GET", "/v1/stacks/a", "", "").status, 401);
  EXPECT_EQ(send("GET", "/v1/stacks/a").status, 200);
}

TEST_F(RestTest, HandlerIsCancelledWhenTheClientGoes) {
  wire::testing::RawClient raw(http_port_);
  raw.send("GET /v1/watch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n");
  EXPECT_THAT(raw.read_until("e.2"), HasSubstr("200 OK"));
  raw.close();
  EXPECT_EQ(handlers_.hang_ended.get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(RestTest, ShutdownCancelsRunningHandlers) {
  wire::testing::RawClient raw(http_port_);
  raw.send("GET /v1/stacks/hang HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n");
  handlers_.hang_begun.get_future().wait();
  serving_->shutdown(0ms);
  EXPECT_EQ(handlers_.hang_ended.get_future().wait_for(0s), std::future_status::ready);
}

// Every rpc of the contract, without a token and with a wrong one: refused before anything else is looked at.
TEST_F(RestTest, NoRouteOpensWithoutAToken) {
  const RouteTable routes(table_);
  EXPECT_GT(routes.routes().size(), 25u);
  for (const auto& route : routes.routes()) {
    std::string path = route.path;
    for (auto at = path.find('{'); at != std::string::npos; at = path.find('{')) {
      path.replace(at, path.find('}') - at + 1, "x");
    }
    const bool open = core::permission_of(*route.method->descriptor) == "public";
    for (const std::string token : {"", "wrong"}) {
      for (const auto& target : {path, path + "?nonsense=1"}) {
        const auto answer = send(route.verb, target, route.verb == "GET" ? "" : "not json", token);
        EXPECT_EQ(answer.status == 401, !open) << route.verb << " " << target << " " << answer.body;
        if (!open) {
          EXPECT_EQ(answer.json().at("code"), "UNAUTHENTICATED");
        }
      }
    }
  }
}

}  // namespace
}  // namespace orchion::control::serving
