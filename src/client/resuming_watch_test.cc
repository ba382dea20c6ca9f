#include "client/resuming_watch.h"

#include <algorithm>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "wire/http_server.h"

namespace orchion::client {
namespace {

using base::Code;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

v1::WatchEvent about(const std::string& id, const std::string& name, std::uint32_t running,
                     v1::WatchEvent::Type type = v1::WatchEvent::PUT) {
  v1::WatchEvent event;
  event.set_id(id);
  event.set_type(type);
  event.set_kind("Stack");
  event.mutable_stack()->mutable_meta()->set_name(name);
  event.mutable_stack()->mutable_meta()->set_uid("uid-" + name);
  event.mutable_stack()->mutable_status()->set_tasks_running(running);
  return event;
}

v1::WatchEvent gone(const std::string& id, const std::string& name) {
  return about(id, name, 0, v1::WatchEvent::REMOVED);
}

v1::WatchEvent plain(const std::string& id, v1::WatchEvent::Type type) {
  v1::WatchEvent event;
  event.set_id(id);
  event.set_type(type);
  return event;
}

v1::WatchEvent synced(const std::string& id) {
  return plain(id, v1::WatchEvent::SYNCED);
}

// What one connection gets before it breaks.
using Script = std::vector<v1::WatchEvent>;

class ResumingWatchTest : public testing::Test {
 protected:
  ~ResumingWatchTest() override {
    watch_.reset();
    api_.reset();
    if (server_) run(server_->shutdown(milliseconds(0)));
  }

  // Each connection gets the next of the scripts and is then broken off; without one it is refused.
  void serve(std::vector<Script> scripts) {
    scripts_ = std::move(scripts);
    if (!server_) {
      server_ = std::make_unique<wire::HttpServer>(
          context_.get_executor(), [this](std::shared_ptr<wire::Exchange> e) { return answer(this, std::move(e)); });
      port_ = *server_->listen_tcp("127.0.0.1", 0);
    }
    connect();
  }

  void connect() {
    Connection connection;
    connection.description = fmt::format("http://127.0.0.1:{}", port_);
    connection.endpoint = *wire::Endpoint::parse(connection.description);
    connection.token = "t";
    api_ = std::make_shared<ApiClient>(context_.get_executor(), connection);
    WatchOptions options;
    options.patience = {{milliseconds(1), milliseconds(5)}, milliseconds(60)};
    options.say = [this](const std::string& line) { said_.push_back(line); };
    v1::WatchRequest request;
    request.add_kinds("Stack");
    watch_ = std::make_unique<ResumingWatch>(api_, clock_, request, options);
  }

  // "a=1" for a PUT, "-a" for a REMOVED, in the order of names.
  std::vector<std::string> next() {
    auto batch = run(watch_->next());
    if (!batch) return {"error: " + batch.error().message};
    std::vector<std::string> texts;
    for (const auto& event : *batch) {
      const auto& name = event.stack().meta().name();
      texts.push_back(event.type() == v1::WatchEvent::REMOVED
                          ? "-" + name
                          : fmt::format("{}={}", name, event.stack().status().tasks_running()));
    }
    std::ranges::sort(texts);
    return texts;
  }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> result;
    boost::asio::co_spawn(context_, std::move(coroutine),
                          [&](std::exception_ptr, base::Result<T> r) { result = std::move(r); });
    context_.restart();
    while (!result && context_.run_one() > 0) {
    }
    return std::move(*result);
  }

  static base::Co<> answer(ResumingWatchTest* self, std::shared_ptr<wire::Exchange> exchange) {
    self->resumed_after_.emplace_back(exchange->request().headers.find("Last-Event-ID").value_or(""));
    if (self->scripts_.empty()) {
      wire::Response refusal;
      refusal.status = self->refusal_;
      refusal.body = R"({"code":")" + self->refusal_code_ + R"(","detail":"not now"})";
      co_return co_await exchange->respond(std::move(refusal));
    }
    const auto script = self->scripts_.front();
    self->scripts_.erase(self->scripts_.begin());
    CO_ASSIGN_OR_RETURN(auto writer, co_await exchange->begin(200, wire::Headers()));
    for (const auto& event : script) {
      std::string json;
      (void)google::protobuf::util::MessageToJsonString(event, &json);
      wire::ServerSentEvent sent;
      sent.id = event.id();
      sent.data = std::move(json);
      CO_RETURN_IF_ERROR(co_await writer->write(wire::format_event(sent)));
    }
    co_return base::Result<>{};  // not ended in order: the connection is broken off
  }

  boost::asio::io_context context_;
  base::SystemClock clock_;
  std::vector<Script> scripts_;
  std::vector<std::string> resumed_after_;
  std::vector<std::string> said_;
  int refusal_ = 503;
  std::string refusal_code_ = "UNAVAILABLE";
  std::unique_ptr<wire::HttpServer> server_;
  std::uint16_t port_ = 1;
  std::shared_ptr<ApiClient> api_;
  std::unique_ptr<ResumingWatch> watch_;
};

TEST_F(ResumingWatchTest, TheFirstListComesAsAWholeAlsoWhenItIsEmpty) {
  serve({{about("e.5", "a", 1), about("e.5", "b", 2), synced("e.5"), about("e.6", "a", 3), gone("e.7", "b")}});
  EXPECT_THAT(next(), ElementsAre("a=1", "b=2"));
  EXPECT_THAT(next(), ElementsAre("a=3"));
  EXPECT_THAT(next(), ElementsAre("-b"));
  serve({{synced("e.1")}});
  EXPECT_THAT(next(), IsEmpty());
}

TEST_F(ResumingWatchTest, AHalfCommitIsResumedFromTheWholeOneBeforeItAndNothingIsSaidTwice) {
  serve({{about("e.5", "a", 1), synced("e.5"), about("e.6", "a", 2), about("e.7", "b", 1)},
         {about("e.7", "b", 1), about("e.7", "c", 1), about("e.8", "c", 2)}});
  EXPECT_THAT(next(), ElementsAre("a=1"));
  EXPECT_THAT(next(), ElementsAre("a=2"));
  EXPECT_THAT(next(), ElementsAre("b=1"));
  EXPECT_THAT(next(), ElementsAre("c=1"));
  EXPECT_THAT(next(), ElementsAre("c=2"));
  EXPECT_THAT(resumed_after_, ElementsAre("", "e.6"));
  EXPECT_EQ(said_.size(), 1u);
}

TEST_F(ResumingWatchTest, AListThatBreaksOffBeginsAgain) {
  serve({{about("e.5", "a", 1)}, {about("e.6", "a", 2), about("e.6", "b", 1), synced("e.6")}});
  EXPECT_THAT(next(), ElementsAre("a=2", "b=1"));
  EXPECT_THAT(resumed_after_, ElementsAre("", ""));
}

TEST_F(ResumingWatchTest, ABookmarkIsResumedFrom) {
  serve({{synced("e.5"), plain("e.90", v1::WatchEvent::BOOKMARK)}, {about("e.91", "a", 1)}});
  EXPECT_THAT(next(), IsEmpty());
  EXPECT_THAT(next(), ElementsAre("a=1"));
  EXPECT_THAT(resumed_after_, ElementsAre("", "e.90"));
}

TEST_F(ResumingWatchTest, ListAgainGivesTheDifference) {
  serve({{about("e.5", "same", 1), about("e.5", "changed", 1), about("e.5", "gone", 1), synced("e.5")},
         {plain("f.1", v1::WatchEvent::LIST_AGAIN)},
         {about("f.2", "same", 1), about("f.2", "changed", 2), about("f.2", "new", 1), synced("f.2")},
         {about("f.3", "new", 2)}});
  EXPECT_THAT(next(), ElementsAre("changed=1", "gone=1", "same=1"));
  EXPECT_THAT(next(), ElementsAre("-gone", "changed=2", "new=1"));
  EXPECT_THAT(next(), ElementsAre("new=2"));
  EXPECT_THAT(resumed_after_, ElementsAre("", "e.5", "", "f.2"));
}

TEST_F(ResumingWatchTest, AServerThatStaysAwayIsGivenUpWithASentence) {
  serve({{synced("e.5")}});
  EXPECT_THAT(next(), IsEmpty());
  EXPECT_THAT(next(), ElementsAre(HasSubstr("the server went away and did not come back")));
  EXPECT_GT(resumed_after_.size(), 3u) << "it was asked more than once";
  EXPECT_EQ(said_.size(), 1u);
}

TEST_F(ResumingWatchTest, WhatTryingAgainCannotMendComesBackAtOnce) {
  serve({});
  EXPECT_THAT(next(), ElementsAre("error: not now")) << "the first connection is not tried again";
  EXPECT_EQ(resumed_after_.size(), 1u);
  refusal_ = 403;
  refusal_code_ = "PERMISSION_DENIED";
  resumed_after_.clear();
  serve({{synced("e.5")}});
  EXPECT_THAT(next(), IsEmpty());
  EXPECT_THAT(next(), ElementsAre("error: not now"));
  EXPECT_EQ(resumed_after_.size(), 2u);
}

}  // namespace
}  // namespace orchion::client
