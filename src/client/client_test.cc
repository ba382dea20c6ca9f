#include <filesystem>
#include <fstream>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "client/api_client.h"
#include "client/problem.h"
#include "client/rest_route.h"
#include "client/watch.h"
#include "v1/control.pb.h"
#include "wire/http_server.h"

namespace orchion::client {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;

std::string route(std::string_view method, const google::protobuf::Message& request) {
  const auto rest = make_rest_request(find_method(method), request);
  if (!rest) return "error: " + rest.error().message;
  return rest->verb + " " + rest->target + (rest->body.empty() ? "" : " " + rest->body);
}

TEST(RestRoute, FieldsGoWhereTheRouteSays) {
  v1::GetTaskRequest task;
  task.set_stack("my shop");
  task.set_name("web.1");
  EXPECT_EQ(route("orchion.v1.TaskService.GetTask", task), "GET /v1/stacks/my%20shop/tasks/web.1");

  v1::ApplyStackRequest apply;
  apply.set_name("shop");
  apply.set_dry_run(true);
  apply.set_base_revision(0);
  EXPECT_EQ(route("orchion.v1.StackService.ApplyStack", apply),
            R"(PUT /v1/stacks/shop {"baseRevision":"0","dryRun":true})");

  v1::LogsRequest logs;
  logs.set_stack("shop");
  logs.set_service("a&b");
  logs.set_tail(0);
  logs.set_follow(true);
  logs.mutable_since()->set_seconds(1);
  EXPECT_EQ(route("orchion.v1.TaskService.Logs", logs),
            "GET /v1/stacks/shop/logs?service=a%26b&follow=true&since=1970-01-01T00%3A00%3A01Z&tail=0");

  v1::WatchRequest watch;
  watch.add_kinds("Task");
  watch.add_kinds("Node");
  EXPECT_EQ(route("orchion.v1.WatchService.Watch", watch), "GET /v1/watch?kinds=Task&kinds=Node");

  v1::SetNodeAvailabilityRequest drain;
  drain.set_name("nas");
  drain.set_availability(v1::NodeSpec::DRAINED);
  EXPECT_EQ(route("orchion.v1.NodeService.SetNodeAvailability", drain),
            R"(POST /v1/nodes/nas/availability {"availability":"DRAINED"})");

  EXPECT_EQ(route("orchion.v1.StackService.GetStack", v1::GetStackRequest()), "error: no name was given: name one");
}

TEST(Problem, BecomesAnError) {
  const auto error = error_of_answer(
      404,
      R"({"title":"Not found","detail":"there is no stack x","code":"NOT_FOUND","errors":[{"pointer":"/a","detail":"b"}]})");
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.message, "there is no stack x");
  EXPECT_THAT(error.fields, ElementsAre(base::FieldViolation{"/a", "b"}));
  EXPECT_EQ(error_of_answer(412, "{}").code, Code::kAborted);
  EXPECT_EQ(error_of_answer(503, "<html>").code, Code::kUnavailable);
  EXPECT_THAT(error_of_answer(500, "<html>").message, HasSubstr("status 500"));
}

TEST(Connection, IsFoundByFlagsThenEnvironmentThenFolder) {
  const auto local = find_connection({}, {{"HOME", "/home/me"}}, false);
  EXPECT_EQ(local->address, "unix:/home/me/.local/share/orchion/orchion.sock");
  EXPECT_TRUE(local->is_local_default);
  EXPECT_EQ(find_data_folder({}, {{"XDG_DATA_HOME", "/x"}, {"HOME", "/h"}}, false), "/x/orchion");
  EXPECT_EQ(find_data_folder({}, {{"HOME", "/h"}}, true), "/var/lib/orchion");
  EXPECT_EQ(find_data_folder({}, {{"ORCHION_DATA", "/d"}}, true), "/d");
  EXPECT_EQ(find_data_folder("/f/", {{"ORCHION_DATA", "/d"}}, true)->string(), "/f/");
  EXPECT_FALSE(find_data_folder({}, {}, false));

  const Environment environment = {{"ORCHION_SERVER", "http://127.0.0.1:4600"}, {"ORCHION_TOKEN", " secret\n"}};
  const auto remote = find_connection({}, environment, true);
  EXPECT_EQ(remote->endpoint.port, 4600);
  EXPECT_EQ(remote->token, "secret");
  EXPECT_FALSE(remote->is_local_default);
  EXPECT_EQ(find_connection({.server = "unix:/run/o.sock"}, environment, true)->endpoint.host, "/run/o.sock");
  EXPECT_FALSE(find_connection({.server = "ftp:nonsense"}, {}, true));
  EXPECT_FALSE(find_connection({.server = {}, .token_file = "/does/not/exist"}, environment, true));
}

TEST(Connection, TheAdminTokenGoesToItsOwnSocketOnly) {
  auto random = base::Random::from_system();
  const auto folder = std::filesystem::temp_directory_path() / ("client-" + random.text(8));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "admin-token") << "local-secret\n";
  EXPECT_EQ(find_connection({.data = folder.string()}, {}, true)->token, "local-secret");
  EXPECT_EQ(find_connection({.server = "unix:" + (folder / "orchion.sock").string()}, {}, true)->token, "local-secret");
  EXPECT_EQ(find_connection({.server = "http://127.0.0.1:1", .data = folder.string()}, {}, true)->token, "");
  std::filesystem::remove_all(folder);
}

// A server on loopback whose answers are written by the test, and one loop for both ends.
class ApiClientTest : public testing::Test {
 protected:
  ~ApiClientTest() override {
    if (server_) run(server_->shutdown(std::chrono::seconds(1)));
  }

  void serve(wire::Handler handler) {
    server_ = std::make_unique<wire::HttpServer>(context_.get_executor(), std::move(handler));
    port_ = *server_->listen_tcp("127.0.0.1", 0);
  }

  std::unique_ptr<ApiClient> client(std::string token = "t0ken") {
    Connection connection;
    connection.address = fmt::format("http://127.0.0.1:{}", port_);
    connection.endpoint = *wire::Endpoint::parse(connection.address);
    connection.token = std::move(token);
    connection.token_wanted = "a file";
    return std::make_unique<ApiClient>(context_.get_executor(), connection);
  }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> result;
    std::exception_ptr thrown;
    boost::asio::co_spawn(context_, std::move(coroutine), [&](std::exception_ptr e, base::Result<T> r) {
      thrown = e;
      result = std::move(r);
    });
    context_.restart();
    while (!result && context_.run_one() > 0) {
    }
    if (thrown) std::rethrow_exception(thrown);
    return *result;
  }

  boost::asio::io_context context_;
  std::unique_ptr<wire::HttpServer> server_;
  std::uint16_t port_ = 1;
};

// Aggregates are made by functions: g++ 12 destroys a braced temporary twice where a co_await stands beside it.
wire::Response response(int status, std::string body) {
  return {status, {}, std::move(body)};
}
wire::WebSocket::Message text_message(std::string data) {
  return {std::move(data), false};
}
std::string sse(std::string event, std::string data) {
  return wire::format_event({"", std::move(event), std::move(data)});
}

base::Co<> answer_stack(std::shared_ptr<wire::Exchange> exchange) {
  const auto& request = exchange->request();
  if (request.headers.find("Authorization") != "Bearer t0ken")
    co_return co_await exchange->respond(response(401, R"({"detail":"a token is needed"})"));
  if (request.target != "/v1/stacks/shop")
    co_return co_await exchange->respond(response(404, R"({"detail":"there is no such stack","code":"NOT_FOUND"})"));
  co_return co_await exchange->respond(response(200, R"({"meta":{"name":"shop","revision":"7"},"fromTheFuture":1})"));
}

v1::GetStackRequest get_stack(const std::string& name) {
  v1::GetStackRequest request;
  request.set_name(name);
  return request;
}

constexpr auto kGetStack = "orchion.v1.StackService.GetStack";

TEST_F(ApiClientTest, CallsAreTyped) {
  serve(answer_stack);
  auto api = client();
  const auto stack = run(api->call<v1::GetStackRequest, v1::Stack>(kGetStack, get_stack("shop")));
  ASSERT_TRUE(stack) << stack.error().message;
  EXPECT_EQ(stack->meta().revision(), 7u);
  const auto json = run(api->call_json(kGetStack, std::make_shared<v1::GetStackRequest>(get_stack("shop"))));
  EXPECT_EQ(*json, R"({"meta":{"name":"shop","revision":"7"},"fromTheFuture":1})");
  const auto missing = run(api->call<v1::GetStackRequest, v1::Stack>(kGetStack, get_stack("other")));
  EXPECT_EQ(missing.error(), (base::Error{Code::kNotFound, "there is no such stack", {}}));
}

TEST_F(ApiClientTest, SaysWhatToDoWithoutTokenOrServer) {
  serve(answer_stack);
  const auto refused = run(client("")->call<v1::GetStackRequest, v1::Stack>(kGetStack, get_stack("shop")));
  EXPECT_EQ(refused.error().code, Code::kUnauthenticated);
  EXPECT_THAT(refused.error().message, HasSubstr("none was found in a file: pass --token-file"));
  run(server_->shutdown(std::chrono::seconds(1)));
  server_.reset();
  const auto gone = run(client()->call<v1::GetStackRequest, v1::Stack>(kGetStack, get_stack("shop")));
  EXPECT_EQ(gone.error().code, Code::kUnavailable);
  EXPECT_EQ(gone.error().message,
            fmt::format("no server answers at http://127.0.0.1:{}: start one with `orchion server`, "
                        "or run `orchion up`",
                        port_));
}

struct Counter {
  int calls = 0;
};

base::Co<> fail_once(Counter* counter, std::shared_ptr<wire::Exchange> exchange) {
  if (++counter->calls == 1) co_return co_await exchange->respond(response(503, R"({"detail":"starting"})"));
  co_return co_await exchange->respond(response(200, "{}"));
}

TEST_F(ApiClientTest, OnlySafeRequestsAreRepeated) {
  Counter counter;
  serve([&counter](std::shared_ptr<wire::Exchange> exchange) { return fail_once(&counter, std::move(exchange)); });
  auto api = client();
  const auto read = run(api->call<v1::GetStackRequest, v1::Stack>(kGetStack, get_stack("shop")));
  EXPECT_TRUE(read);
  EXPECT_EQ(counter.calls, 2);
  counter.calls = 0;
  v1::ApplyStackRequest apply;
  apply.set_name("shop");
  const auto written = run(
      api->call<v1::ApplyStackRequest, v1::ApplyStackResponse>("orchion.v1.StackService.ApplyStack", std::move(apply)));
  EXPECT_EQ(written.error().message, "starting");
  EXPECT_EQ(counter.calls, 1);
}

std::string event_text(const std::string& id, const std::string& type) {
  return wire::format_event({id, "", fmt::format(R"({{"id":"{}","type":"{}"}})", id, type)});
}

// The first connection breaks after two events; the second must ask for what follows.
base::Co<> answer_watch(std::vector<std::string>* asked, std::shared_ptr<wire::Exchange> exchange) {
  asked->emplace_back(exchange->request().headers.find("Last-Event-ID").value_or("-"));
  wire::Headers headers;
  headers.add("Content-Type", "text/event-stream");
  const bool first = asked->size() == 1;
  CO_ASSIGN_OR_RETURN(auto body, co_await exchange->begin(200, headers));
  std::string events = first ? event_text("e.1", "PUT") + event_text("e.2", "SYNCED")
                             : event_text("e.3", "PUT") + event_text("", "LIST_AGAIN");
  CO_RETURN_IF_ERROR(co_await body->write(std::move(events)));
  if (first) co_return base::Result<>{};
  co_return co_await body->end();
}

TEST_F(ApiClientTest, AWatchResumesAfterTheLastEvent) {
  std::vector<std::string> asked;
  serve([&asked](std::shared_ptr<wire::Exchange> exchange) { return answer_watch(&asked, std::move(exchange)); });
  auto api = client();
  Watch watch(*api, v1::WatchRequest());
  std::string seen;
  for (int i = 0; i < 5; ++i) {
    const auto event = run(watch.next());
    ASSERT_TRUE(event) << event.error().message;
    seen += event->id() + ":" + v1::WatchEvent::Type_Name(event->type()) + " ";
  }
  EXPECT_EQ(seen, "e.1:PUT e.2:SYNCED e.3:PUT :LIST_AGAIN e.3:PUT ");
  EXPECT_THAT(asked, ElementsAre("-", "e.2", "-"));
}

base::Co<> answer_logs(std::shared_ptr<wire::Exchange> exchange) {
  CO_ASSIGN_OR_RETURN(auto body, co_await exchange->begin(200, wire::Headers()));
  CO_RETURN_IF_ERROR(co_await body->write(sse("", R"({"line":"one"})")));
  CO_RETURN_IF_ERROR(co_await body->write(sse("error", R"({"detail":"the node is gone","code":"UNAVAILABLE"})")));
  co_return co_await body->end();
}

base::Co<std::string> read_logs(ApiClient* api) {
  v1::LogsRequest request;
  request.set_stack("shop");
  CO_ASSIGN_OR_RETURN(auto lines,
                      co_await (api->stream<v1::LogsRequest, v1::LogLine>("orchion.v1.TaskService.Logs", request)));
  std::string text;
  for (;;) {
    auto line = co_await lines.next();
    if (!line) co_return text + "error: " + line.error().message;
    if (!*line) co_return text;
    text += (*line)->line() + "|";
  }
}

TEST_F(ApiClientTest, AStreamEndsWithTheServersError) {
  serve(answer_logs);
  auto api = client();
  EXPECT_EQ(run(read_logs(api.get())), "one|error: the node is gone");
}

base::Co<> answer_exec(std::shared_ptr<wire::Exchange> exchange) {
  CO_ASSIGN_OR_RETURN(auto socket, co_await exchange->upgrade());
  CO_ASSIGN_OR_RETURN(auto start, co_await socket->receive());
  CO_RETURN_IF_ERROR(co_await socket->send(text_message(R"({"stdout":"aGVsbG8="})")));
  CO_RETURN_IF_ERROR(co_await socket->send(text_message(fmt::format(R"({{"exitCode":{}}})", start->data.size()))));
  co_return co_await socket->close();
}

base::Co<std::string> run_exec(ApiClient* api) {
  CO_ASSIGN_OR_RETURN(auto session, co_await api->exec("orchion.v1.TaskService.Exec"));
  v1::ExecInput input;
  input.mutable_start()->set_stack("s");
  CO_RETURN_IF_ERROR(co_await session->send(input));
  std::string text;
  for (;;) {
    CO_ASSIGN_OR_RETURN(auto output, co_await session->receive());
    if (!output) co_return text;
    text += output->has_exit_code() ? std::to_string(output->exit_code()) : output->stdout();
  }
}

TEST_F(ApiClientTest, ExecSpeaksJsonFrames) {
  serve(answer_exec);
  auto api = client();
  EXPECT_EQ(run(run_exec(api.get())), "hello23");
}

class Pieces final : public wire::BodyReader {
 public:
  base::Co<std::optional<std::string>> read() override {
    if (left_ == 0) co_return std::optional<std::string>();
    --left_;
    co_return std::optional(std::string(100'000, 'x'));
  }

 private:
  int left_ = 30;
};

base::Co<> answer_upload(std::string* target, std::shared_ptr<wire::Exchange> exchange) {
  *target = exchange->request().target;
  CO_ASSIGN_OR_RETURN(auto body, co_await wire::read_whole(exchange->body(), 10u << 20));
  co_return co_await exchange->respond(response(200, fmt::format(R"({{"status":{{"sizeBytes":"{}"}}}})", body.size())));
}

TEST_F(ApiClientTest, UploadsStream) {
  std::string target;
  serve([&target](std::shared_ptr<wire::Exchange> exchange) { return answer_upload(&target, std::move(exchange)); });
  auto api = client();
  auto first = std::make_shared<v1::ImportImageRequest>();
  first->set_name("hello:1");
  const auto json =
      run(api->upload_json("orchion.v1.ImageService.ImportImage", first, std::make_shared<Pieces>(), CallOptions()));
  EXPECT_EQ(*json, R"({"status":{"sizeBytes":"3000000"}})");
  EXPECT_EQ(target, "/v1/images/import?name=hello%3A1");
}

}  // namespace
}  // namespace orchion::client
