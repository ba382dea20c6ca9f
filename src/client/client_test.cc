#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "client/api_client.h"
#include "v1/control.pb.h"
#include "wire/http_server.h"

namespace orchion::client {
namespace {

using base::Code;
using testing::HasSubstr;

class Environment : public testing::Test {
 protected:
  Environment() {
    for (const auto* name : {"ORCHION_SERVER", "ORCHION_TOKEN", "ORCHION_DATA"}) ::unsetenv(name);
    auto random = base::Random::from_system();
    folder_ = std::filesystem::temp_directory_path() / ("client-" + random.text(8));
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "admin-token") << "local-secret\n";
  }
  ~Environment() override {
    std::filesystem::remove_all(folder_);
    for (const auto* name : {"ORCHION_SERVER", "ORCHION_TOKEN", "ORCHION_DATA"}) ::unsetenv(name);
  }

  static ConnectionSettings server(const std::string& server) { return {server, {}, {}}; }

  std::filesystem::path folder_;
};

TEST_F(Environment, FlagsAreStrongerThanVariablesThanTheFolder) {
  ::setenv("ORCHION_DATA", folder_.c_str(), 1);
  const auto local = find_connection({});
  EXPECT_EQ(local->description, "unix:" + (folder_ / "orchion.sock").string());
  EXPECT_EQ(local->token, "local-secret");
  ::setenv("ORCHION_SERVER", "http://127.0.0.1:4600", 1);
  ::setenv("ORCHION_TOKEN", " secret\n", 1);
  const auto remote = find_connection({});
  EXPECT_EQ(remote->endpoint.port, 4600);
  EXPECT_EQ(remote->token, "secret");
  EXPECT_EQ(find_connection(server("unix:/run/o.sock"))->endpoint.host, "/run/o.sock");
  EXPECT_EQ(find_connection(server("nonsense")).error().code, Code::kInvalidArgument);
  EXPECT_EQ(find_connection({{}, "/does/not/exist", {}}).error().code, Code::kNotFound);
}

TEST_F(Environment, TheAdminTokenGoesNowhereElse) {
  const auto socket = "unix:" + (folder_ / "orchion.sock").string();
  EXPECT_EQ(find_connection({{}, {}, folder_.string()})->token, "local-secret");
  EXPECT_EQ(find_connection(server(socket))->token, "local-secret");
  EXPECT_EQ(find_connection({"http://127.0.0.1:1", {}, folder_.string()})->token, "local-secret");
  EXPECT_EQ(find_connection({"http://192.0.2.1:4600", {}, folder_.string()})->token, "");
  EXPECT_EQ(find_connection(server("http://127.0.0.1:1"))->token, "");
  EXPECT_EQ(find_connection({"unix:/run/other.sock", {}, folder_.string()})->token, "");
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
    connection.description = fmt::format("http://127.0.0.1:{}", port_);
    connection.endpoint = *wire::Endpoint::parse(connection.description);
    connection.token = std::move(token);
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
  const auto stack = run(api->call<v1::Stack>(kGetStack, get_stack("shop")));
  ASSERT_TRUE(stack) << stack.error().message;
  EXPECT_EQ(stack->meta().revision(), 7u);
  const auto json = run(api->call_json(kGetStack, std::make_shared<v1::GetStackRequest>(get_stack("shop"))));
  EXPECT_EQ(*json, R"({"meta":{"name":"shop","revision":"7"},"fromTheFuture":1})");
  const auto missing = run(api->call<v1::Stack>(kGetStack, get_stack("other")));
  EXPECT_EQ(missing.error(), (base::Error{Code::kNotFound, "there is no such stack", {}}));
}

TEST_F(ApiClientTest, SaysWhatToDoWithoutTokenOrServer) {
  serve(answer_stack);
  const auto refused = run(client("")->call<v1::Stack>(kGetStack, get_stack("shop")));
  EXPECT_EQ(refused.error().code, Code::kUnauthenticated);
  EXPECT_THAT(refused.error().message, HasSubstr("wants a token: give one with --token-file or ORCHION_TOKEN"));
  run(server_->shutdown(std::chrono::seconds(1)));
  server_.reset();
  const auto gone = run(client()->call<v1::Stack>(kGetStack, get_stack("shop")));
  EXPECT_EQ(gone.error().code, Code::kUnavailable);
  EXPECT_EQ(gone.error().message,
            fmt::format("no server answers at http://127.0.0.1:{}: start one with `orchion server`, "
                        "or with `orchion up`",
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
  const auto read = run(api->call<v1::Stack>(kGetStack, get_stack("shop")));
  EXPECT_TRUE(read);
  EXPECT_EQ(counter.calls, 2);
  counter.calls = 0;
  v1::ApplyStackRequest apply;
  apply.set_name("shop");
  const auto written = run(api->call<v1::ApplyStackResponse>("orchion.v1.StackService.ApplyStack", std::move(apply)));
  EXPECT_EQ(written.error().message, "starting");
  EXPECT_EQ(counter.calls, 1);
}

base::Co<> answer_logs(std::shared_ptr<wire::Exchange> exchange) {
  const std::string after(exchange->request().headers.find("Last-Event-ID").value_or("the beginning"));
  CO_ASSIGN_OR_RETURN(auto body, co_await exchange->begin(200, wire::Headers()));
  CO_RETURN_IF_ERROR(co_await body->write(sse("", fmt::format(R"({{"line":"after {}"}})", after))));
  CO_RETURN_IF_ERROR(co_await body->write(sse("error", R"({"detail":"the node is gone","code":"UNAVAILABLE"})")));
  co_return co_await body->end();
}

base::Co<std::string> read_logs(ApiClient* api) {
  auto request = std::make_shared<v1::LogsRequest>();
  request->set_stack("shop");
  CO_ASSIGN_OR_RETURN(auto lines, co_await api->open_events("orchion.v1.TaskService.Logs", request, "e.7"));
  std::string text;
  for (;;) {
    auto line = co_await lines->next();
    if (!line) co_return text + "error: " + line.error().message;
    if (!*line) co_return text;
    text += (*line)->data + "|";
  }
}

TEST_F(ApiClientTest, AStreamEndsWithTheServersError) {
  serve(answer_logs);
  auto api = client();
  EXPECT_EQ(run(read_logs(api.get())), R"({"line":"after e.7"}|error: the node is gone)");
}

base::Co<> answer_exec(std::shared_ptr<wire::Exchange> exchange) {
  CO_ASSIGN_OR_RETURN(auto socket, co_await exchange->upgrade());
  CO_ASSIGN_OR_RETURN(auto start, co_await socket->receive());
  CO_RETURN_IF_ERROR(co_await socket->send(text_message(R"({"stdout":"aGVsbG8="})")));
  CO_RETURN_IF_ERROR(co_await socket->send(text_message(fmt::format(R"({{"exitCode":{}}})", start->data.size()))));
  co_return co_await socket->close();
}

base::Co<std::string> run_exec(ApiClient* api) {
  CO_ASSIGN_OR_RETURN(auto socket, co_await api->open_socket("orchion.v1.TaskService.Exec"));
  CO_RETURN_IF_ERROR(co_await socket->send(text_message(R"({"start":{"stack":"s"}})")));
  std::string text;
  for (;;) {
    CO_ASSIGN_OR_RETURN(auto message, co_await socket->receive());
    if (!message) co_return text;
    text += message->data;
  }
}

TEST_F(ApiClientTest, ExecSpeaksJsonFrames) {
  serve(answer_exec);
  auto api = client();
  EXPECT_EQ(run(run_exec(api.get())), R"({"stdout":"aGVsbG8="}{"exitCode":23})");
}

base::Co<> answer_as_a_proxy(std::shared_ptr<wire::Exchange> exchange) {
  co_return co_await exchange->respond(response(403, "<html>"));
}

TEST_F(ApiClientTest, AnAnswerThatIsNoProblemStillHasACode) {
  serve(answer_as_a_proxy);
  auto api = client();
  const auto refused = run(api->call<v1::Stack>(kGetStack, get_stack("shop")));
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("answered 403"));
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
  const auto json = run(api->upload("orchion.v1.ImageService.ImportImage", first, std::make_shared<Pieces>()));
  EXPECT_EQ(*json, R"({"status":{"sizeBytes":"3000000"}})");
  EXPECT_EQ(target, "/v1/images/import?name=hello%3A1");
}

}  // namespace
}  // namespace orchion::client
