#include "wire/http_client.h"

#include <gmock/gmock.h>

#include "wire/http_lab.h"

namespace orchion::wire {
namespace {

using ::testing::HasSubstr;
using testing::RawClient;
using ::testing::StartsWith;
using testing::TempFolder;
using namespace std::chrono_literals;

using HttpClientTest = HttpLab;

TEST_F(HttpClientTest, NobodyAnswers) {
  start();
  stop(0s);
  const auto refused = get({"GET", "/hello"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::kUnavailable);
  client_ = std::make_unique<HttpClient>(loop_.executor(), Endpoint{Transport::kUnix, "/nonexistent/x.sock"});
  EXPECT_EQ(get({"GET", "/"}).error().code, base::Code::kUnavailable);
}

TEST_F(HttpClientTest, ClientsLimitHolds) {
  HttpServerOptions options;
  options.stall_limit = 100ms;
  start(options);
  const auto late = get({"GET", "/hang"}, 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, base::Code::kDeadlineExceeded);
  EXPECT_EQ(handlers_->endless_ended->get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(HttpClientTest, ConnectionThatWentStaleIsReplaced) {
  HttpServerOptions options;
  options.idle_limit = 100ms;
  start(options);
  const auto first = get({"GET", "/hello"});
  RawClient witness(port_);  // it is cut off after the client's connection
  EXPECT_EQ(witness.read_all(), "");
  const auto second = get({"POST", "/echo", {}, "x"});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, "x");
}

base::Co<std::string> talk(HttpClient* client, std::string last) {
  CO_ASSIGN_OR_RETURN(auto socket, co_await client->websocket("/ws", {}, kLimit));
  std::string heard;
  for (int i = 0; i < 20; ++i) {
    WebSocket::Message message{std::to_string(i), i % 2 == 0};
    CO_RETURN_IF_ERROR(co_await socket->send(std::move(message)));
    CO_ASSIGN_OR_RETURN(auto echo, co_await socket->receive());
    if (!echo || echo->binary != (i % 2 == 0)) co_return "not the echo";
    heard += echo->data;
  }
  WebSocket::Message message{last, false};
  CO_RETURN_IF_ERROR(co_await socket->send(std::move(message)));
  CO_ASSIGN_OR_RETURN(auto end, co_await socket->receive());
  co_return end ? "not the end" : heard;
}

TEST_F(HttpClientTest, WebSocketBothSides) {
  start();
  EXPECT_EQ(loop_.run(talk(client_.get(), "bye")), "012345678910111213141516171819");
  const auto failed = loop_.run(talk(client_.get(), "fail"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error(), (base::Error{base::Code::kNotFound, "no such thing", {}}));
}

base::Co<> open(HttpClient* client, std::string target) {
  auto opened = co_await client->websocket(target, {}, kLimit);
  if (!opened) co_return std::unexpected(opened.error());
  co_return base::Result<>{};
}

TEST_F(HttpClientTest, WebSocketRefused) {
  start();
  const auto refused = loop_.run(open(client_.get(), "/nowhere"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::kNotFound);
  EXPECT_EQ(get({"GET", "/ws"})->status, 400);
}

}  // namespace
}  // namespace orchion::wire
