#include <gmock/gmock.h>

#include "control/serving/serving_fixture.h"

namespace orchion::control::serving {
namespace {

using ::testing::HasSubstr;

class RestStreamsTest : public ServingTest {};

TEST_F(RestStreamsTest, LogsAsEvents) {
  const auto answer = send("GET", "/v1/logs?stack=web&tail=5&since=2023-11-14T22:13:20Z");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "text/event-stream");
  wire::EventParser parser;
  const auto events = parser.feed(answer.body);
  ASSERT_EQ(events.size(), 200u);
  EXPECT_EQ(boost::json::parse(events[199].data).at("line"), "line 199");
  EXPECT_EQ(events[1].id, "2023-11-14T22:13:21Z");
  EXPECT_EQ(handlers_.last_logs.tail(), 5u);
  EXPECT_EQ(handlers_.last_logs.since().seconds(), 1'700'000'000);
}

TEST_F(RestStreamsTest, LastEventIdBecomesSince) {
  send("GET", "/v1/logs?stack=web", "", "good", {{"Last-Event-ID", "2023-11-14T22:13:21Z"}});
  EXPECT_EQ(handlers_.last_logs.since().seconds(), 1'700'000'001);
  EXPECT_EQ(send("GET", "/v1/logs?stack=web", "", "good", {{"Last-Event-ID", "rubbish"}}).status, 400);
}

TEST_F(RestStreamsTest, WatchNamesItsEventsAndStaysAlive) {
  wire::testing::RawClient raw(http_port_);
  raw.send("GET /v1/watch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nLast-Event-ID: e.0\r\n\r\n");
  const auto begin = raw.read_until(": still here");
  EXPECT_THAT(begin, HasSubstr("id: e.1\nevent: Service\ndata: {"));
  EXPECT_THAT(begin, HasSubstr("id: e.2\nevent: SYNCED\ndata: {"));
  EXPECT_EQ(handlers_.last_watch.since(), "e.0");
}

TEST_F(RestStreamsTest, WhatGoesToManyShowsNoSecrets) {
  const auto answer = send("GET", "/v1/watch?since=last");
  EXPECT_THAT(answer.body, testing::Not(HasSubstr("hunter2")));
  wire::EventParser parser;
  const auto events = parser.feed(answer.body);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0], events[1]);
  EXPECT_EQ(boost::json::parse(events[0].data).at_pointer("/service/spec/container/environment/0/value"), "<redacted>");
}

TEST_F(RestStreamsTest, ErrorsBeforeAndWithinAStream) {
  const auto before = send("GET", "/v1/logs?stack=none");
  EXPECT_EQ(before.status, 404);
  EXPECT_EQ(before.json().at("code"), "NOT_FOUND");
  const auto within = send("GET", "/v1/logs?stack=breaks");
  EXPECT_EQ(within.status, 200);
  wire::EventParser parser;
  const auto events = parser.feed(within.body);
  ASSERT_EQ(events.size(), 201u);
  EXPECT_EQ(events.back().event, "error");
  EXPECT_EQ(boost::json::parse(events.back().data).at("detail"), "the node nas does not answer");
}

TEST_F(RestStreamsTest, Upload) {
  const auto answer = send("POST", "/v1/images/import?name=app%3A1", std::string(3'000'000, 'x'));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json().at("meta").at("name"), "app:1");
  EXPECT_EQ(answer.json().at("status").at("sizeBytes"), "3000000");
  const auto refused = send("POST", "/v1/images/import?name=refused", std::string(3'000'000, 'x'));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json().at("detail"), "that is no archive");
}

TEST_F(RestStreamsTest, Download) {
  const auto answer = send("GET", "/v1/images/shop%2Fapp/archive");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("Content-Type"), "application/x-tar");
  ASSERT_EQ(answer.body.size(), 2'000'000u);
  EXPECT_EQ(answer.body.substr(99'999, 2), "ab");
  EXPECT_EQ(answer.body.back(), 't');
  EXPECT_EQ(send("GET", "/v1/images/shop%2Fapp/archive", "", "nobody").status, 401);
  const auto missing = send("GET", "/v1/images/none/archive");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.json().at("detail"), "no node holds none");
}

TEST_F(RestStreamsTest, APartOfADownloadIsNotTakenForTheWhole) {
  wire::testing::RawClient raw(http_port_);
  raw.send("GET /v1/images/breaks/archive HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n");
  const auto said = raw.read_all();
  EXPECT_THAT(said, HasSubstr("HTTP/1.1 200"));
  EXPECT_FALSE(said.ends_with("0\r\n\r\n"));
}

base::Co<std::string> chat(wire::HttpClient* client, std::vector<std::string> frames) {
  wire::Headers headers;
  headers.add("Authorization", "Bearer good");
  CO_ASSIGN_OR_RETURN(auto socket, co_await client->websocket("/v1/exec", std::move(headers), 10s));
  std::string heard;
  for (auto& frame : frames) {
    wire::WebSocket::Message message{std::move(frame), false};
    CO_RETURN_IF_ERROR(co_await socket->send(std::move(message)));
    CO_ASSIGN_OR_RETURN(auto answer, co_await socket->receive());
    if (!answer) co_return heard + " early end";
    heard += answer->data;
  }
  CO_ASSIGN_OR_RETURN(auto end, co_await socket->receive());
  co_return heard + (end ? " more" : " end");
}

TEST_F(RestStreamsTest, TwoWayAsWebSocket) {
  EXPECT_EQ(client_loop_.run(chat(client_.get(), {R"({"data":"aGk="})", R"({"end":true})"})),
            R"({"stdout":"aGk="}{"exitCode":3} end)");
  const auto failed = client_loop_.run(chat(client_.get(), {R"({"data":"ZmFpbA=="})"}));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error(), (base::Error{Code::kNotFound, "there is no task t", {}}));
  const auto rubbish = client_loop_.run(chat(client_.get(), {R"({"nope":1})"}));
  ASSERT_FALSE(rubbish);
  EXPECT_EQ(rubbish.error().code, Code::kInvalidArgument);
  EXPECT_EQ(send("GET", "/v1/exec").status, 426);
}

// What the server says to bytes in a binary frame, each frame with its kind before it.
base::Co<std::string> chat_in_binary(wire::HttpClient* client, std::string target) {
  wire::Headers headers;
  headers.add("Authorization", "Bearer good");
  CO_ASSIGN_OR_RETURN(auto socket, co_await client->websocket(std::move(target), std::move(headers), 10s));
  const std::string bytes("\0\xff {", 4);
  wire::WebSocket::Message data{bytes, true};
  CO_RETURN_IF_ERROR(co_await socket->send(std::move(data)));
  CO_ASSIGN_OR_RETURN(auto answer, co_await socket->receive());
  if (!answer) co_return base::fail(Code::kUnavailable, "early end");
  co_return (answer->binary ? "binary " : "text ") + (answer->data == bytes ? "the same" : answer->data);
}

TEST_F(RestStreamsTest, BytesTravelInBinaryFrames) {
  EXPECT_EQ(client_loop_.run(chat_in_binary(client_.get(), "/v1/forward?binary=true")), "binary the same");
  EXPECT_EQ(client_loop_.run(chat_in_binary(client_.get(), "/v1/forward")), R"(text {"data":"AP8gew=="})");
  EXPECT_EQ(client_loop_.run(chat_in_binary(client_.get(), "/v1/exec?binary=true")), R"(text {"stdout":"AP8gew=="})");
}

base::Co<> leave(wire::HttpClient* client) {
  wire::Headers headers;
  headers.add("Authorization", "Bearer good");
  CO_ASSIGN_OR_RETURN(auto socket, co_await client->websocket("/v1/exec", std::move(headers), 10s));
  co_return co_await socket->close();
}

TEST_F(RestStreamsTest, WebSocketThatIsClosedEndsTheCall) {
  EXPECT_TRUE(client_loop_.run(leave(client_.get())));
  serving_->shutdown(10s);
}

}  // namespace
}  // namespace orchion::control::serving
