#include <algorithm>
#include <future>

#include <gtest/gtest.h>

#include "base/notifier.h"
#include "wire/grpc/grpc_client.h"
#include "wire/grpc/grpc_server.h"
#include "wire/testing.h"

namespace orchion::wire::grpc {
namespace {

using base::Code;
using testing::LoopThread;
using namespace std::chrono_literals;

struct Ended {
  std::shared_ptr<std::promise<void>> promise;
  ~Ended() { promise->set_value(); }
};

struct Handlers {
  std::shared_ptr<base::Notifier> never;
  std::shared_ptr<std::promise<void>> begun = std::make_shared<std::promise<void>>();
  std::shared_ptr<std::promise<void>> ended = std::make_shared<std::promise<void>>();
  std::shared_ptr<std::promise<void>> flood_ended = std::make_shared<std::promise<void>>();
  int sent = 0;

  base::Co<> serve(Call call, std::shared_ptr<ByteStream> stream) {
    if (call.method == "/t/Echo") co_return co_await echo(stream);
    if (call.method == "/t/Count") co_return co_await count(stream);
    if (call.method == "/t/Sum") co_return co_await sum(stream);
    if (call.method == "/t/Hang") co_return co_await hang();
    if (call.method == "/t/Flood") co_return co_await flood(stream);
    if (call.method == "/t/Refuse") co_return std::unexpected(refusal());
    if (call.method == "/t/RefuseMuch") co_return std::unexpected(refusal_of(1000));
    if (call.method == "/t/Throw") throw std::runtime_error("oops");
    if (call.method == "/t/Who") co_return co_await stream->send(call.metadata.find("authorization")->second);
    co_return base::fail(Code::kUnimplemented, "no " + call.method);
  }

  static base::Error refusal() {
    return {Code::kInvalidArgument, "two fields are wrong", {{"/name", "is empty"}, {"/spec/a~1b", "is no number"}}};
  }

  static base::Error refusal_of(int fields) {
    base::Error error{Code::kInvalidArgument, "much is wrong", {}};
    for (int i = 0; i < fields; ++i) error.fields.push_back({"/services/" + std::to_string(i), "is wrong"});
    return error;
  }

  base::Co<> echo(std::shared_ptr<ByteStream> stream) {
    while (true) {
      CO_ASSIGN_OR_RETURN(auto message, co_await stream->receive());
      if (!message) co_return base::Result<>{};
      CO_RETURN_IF_ERROR(co_await stream->send(std::move(*message)));
    }
  }

  base::Co<> count(std::shared_ptr<ByteStream> stream) {
    for (int i = 0; i < 1000; ++i) CO_RETURN_IF_ERROR(co_await stream->send(std::to_string(i)));
    co_return base::fail(Code::kOutOfRange, "that was the last");
  }

  base::Co<> sum(std::shared_ptr<ByteStream> stream) {
    std::size_t bytes = 0;
    while (true) {
      CO_ASSIGN_OR_RETURN(auto message, co_await stream->receive());
      if (!message) break;
      bytes += message->size();
    }
    co_return co_await stream->send(std::to_string(bytes));
  }

  base::Co<> hang() {
    const Ended end{ended};
    begun->set_value();
    co_return co_await never->wait();
  }

  base::Co<> flood(std::shared_ptr<ByteStream> stream) {
    const Ended end{flood_ended};
    for (; sent < 1'000'000; ++sent) CO_RETURN_IF_ERROR(co_await stream->send(std::string(1000, 'x')));
    co_return base::Result<>{};
  }
};

class GrpcTest : public ::testing::Test {
 protected:
  GrpcTest() {
    handlers_->never = std::make_shared<base::Notifier>(loop_.executor());
    GrpcServerOptions options;
    options.message_bytes_max = 100'000;
    server_ = std::make_unique<GrpcServer>(
        loop_.executor(),
        [handlers = handlers_](Call call, std::shared_ptr<ByteStream> stream) {
          return handlers->serve(std::move(call), std::move(stream));
        },
        options);
    port_ = server_->listen("127.0.0.1:0").value();
    client_ = std::make_unique<GrpcClient>(loop_.executor(), "127.0.0.1:" + std::to_string(port_));
  }
  ~GrpcTest() override {
    client_.reset();
    server_->shutdown(0ms);
  }

  static base::Co<std::vector<std::string>> talk(GrpcClient* client, std::string method,
                                                 std::vector<std::string> requests, base::Duration limit) {
    const auto stream = client->call(method, {{"authorization", "Bearer x"}}, limit);
    for (auto& request : requests) {
      if (!co_await stream->send(std::move(request))) break;
    }
    stream->finish();
    std::vector<std::string> responses;
    while (true) {
      CO_ASSIGN_OR_RETURN(auto response, co_await stream->receive());
      if (!response) co_return responses;
      responses.push_back(std::move(*response));
    }
  }
  base::Result<std::vector<std::string>> call(std::string method, std::vector<std::string> requests,
                                              base::Duration limit = 10s) {
    return loop_.run(talk(client_.get(), std::move(method), std::move(requests), limit));
  }

  bool handler_ended() { return handlers_->ended->get_future().wait_for(10s) == std::future_status::ready; }

  LoopThread loop_;
  std::shared_ptr<Handlers> handlers_ = std::make_shared<Handlers>();
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<GrpcClient> client_;
  std::uint16_t port_ = 0;
};

TEST_F(GrpcTest, Unary) {
  EXPECT_EQ(call("/t/Echo", {"hello"}), std::vector<std::string>{"hello"});
  EXPECT_EQ(call("/t/Echo", {""}), std::vector<std::string>{""});
  EXPECT_EQ(call("/t/Who", {}), std::vector<std::string>{"Bearer x"});
}

TEST_F(GrpcTest, StatusesCarryCodeAndMessage) {
  const auto none = call("/t/Nothing", {"x"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), (base::Error{Code::kUnimplemented, "no /t/Nothing", {}}));
  const auto thrown = call("/t/Throw", {"x"});
  ASSERT_FALSE(thrown);
  EXPECT_EQ(thrown.error().code, Code::kInternal);
}

TEST_F(GrpcTest, RefusalsNameEachField) {
  const auto refused = call("/t/Refuse", {"x"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Handlers::refusal());
}

TEST_F(GrpcTest, MoreFieldsThanFitLeaveTheFirst) {
  const auto refused = call("/t/RefuseMuch", {"x"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_GT(refused.error().fields.size(), 100u);
  EXPECT_LT(refused.error().fields.size(), 1000u);
  EXPECT_EQ(refused.error().fields[7].pointer, "/services/7");
}

base::Co<int> read_to_error(std::unique_ptr<ByteStream> stream) {
  stream->finish();
  for (int count = 0;; ++count) {
    auto message = co_await stream->receive();
    if (!message && message.error() == base::Error{Code::kOutOfRange, "that was the last", {}}) co_return count;
    if (!message) co_return std::unexpected(message.error());
    if (!*message || **message != std::to_string(count)) co_return base::fail(Code::kDataLoss, "out of order");
  }
}

TEST_F(GrpcTest, ServerStreamKeepsOrderAndStatusComesLast) {
  EXPECT_EQ(loop_.run(read_to_error(client_->call("/t/Count", {}))), 1000);
}

TEST_F(GrpcTest, ClientStream) {
  EXPECT_EQ(call("/t/Sum", std::vector<std::string>(500, std::string(10'000, 'x'))),
            std::vector<std::string>{"5000000"});
}

base::Co<> ping_pong(std::unique_ptr<ByteStream> stream, int times) {
  for (int i = 0; i < times; ++i) {
    CO_RETURN_IF_ERROR(co_await stream->send(std::to_string(i)));
    CO_ASSIGN_OR_RETURN(auto echo, co_await stream->receive());
    if (echo != std::to_string(i)) co_return base::fail(Code::kDataLoss, "not the echo");
  }
  stream->finish();
  CO_ASSIGN_OR_RETURN(auto end, co_await stream->receive());
  if (end) co_return base::fail(Code::kDataLoss, "not the end");
  co_return base::Result<>{};
}

TEST_F(GrpcTest, ThousandPingPongs) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(loop_.run(ping_pong(client_->call("/t/Echo", {}), 1000)));
  const auto took = std::chrono::steady_clock::now() - before;
  RecordProperty("microseconds_each", static_cast<int>(took / 1000 / 1us));
}

TEST_F(GrpcTest, OversizeMessageIsRefused) {
  const auto refused = call("/t/Sum", {std::string(100'001, 'x')});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  const auto huge = call("/t/Sum", {std::string(300'000, 'x')});
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, Code::kResourceExhausted);
  EXPECT_TRUE(call("/t/Sum", {std::string(100'000, 'x')}));
}

base::Co<> drop(std::unique_ptr<ByteStream> stream) {
  stream.reset();
  co_return base::Result<>{};
}

TEST_F(GrpcTest, ClientThatGoesCancelsTheHandler) {
  auto stream = client_->call("/t/Hang", {});
  handlers_->begun->get_future().wait();
  EXPECT_TRUE(loop_.run(drop(std::move(stream))));
  EXPECT_TRUE(handler_ended());
}

base::Co<> ask_and_go(GrpcClient* client, int calls) {
  for (int i = 0; i < calls; ++i) {
    const auto stream = client->call("/t/Count", {});
    if (i % 2 == 1) CO_RETURN_IF_ERROR(co_await stream->receive());
  }
  co_return base::Result<>{};
}

// The last words of a handler may wait to be written when the client goes: the call ends all the same, as the server's
// end shows, which waits for all.
TEST_F(GrpcTest, ClientsThatGoWhileTheyAreAnswered) {
  EXPECT_TRUE(loop_.run(ask_and_go(client_.get(), 500)));
  EXPECT_EQ(call("/t/Echo", {"a", "b"}), (std::vector<std::string>{"a", "b"}));
}

TEST_F(GrpcTest, DeadlineEndsBothSides) {
  const auto late = call("/t/Hang", {}, 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(handler_ended());
}

base::Co<int> read_some(ByteStream* stream, int count) {
  for (int i = 0; i < count; ++i) CO_RETURN_IF_ERROR(co_await stream->receive());
  co_return count;
}

TEST_F(GrpcTest, SlowReaderHoldsTheSenderBack) {
  auto stream = client_->call("/t/Flood", {});
  EXPECT_EQ(loop_.run(read_some(stream.get(), 1000)), 1000);
  EXPECT_TRUE(loop_.run(drop(std::move(stream))));
  EXPECT_EQ(handlers_->flood_ended->get_future().wait_for(10s), std::future_status::ready);
  EXPECT_LT(handlers_->sent, 100'000);
}

base::Co<std::string> next(ByteStream* stream) {
  CO_ASSIGN_OR_RETURN(auto message, co_await stream->receive());
  co_return message.value_or("end");
}

TEST_F(GrpcTest, ServerThatGoesIsUnavailable) {
  auto stream = client_->call("/t/Hang", {});
  handlers_->begun->get_future().wait();
  server_->shutdown(0ms);
  const auto broken = loop_.run(next(stream.get()));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::kUnavailable);
  EXPECT_TRUE(handler_ended());
  const auto refused = call("/t/Echo", {"x"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_TRUE(loop_.run(drop(std::move(stream))));
}

TEST_F(GrpcTest, ClientReconnects) {
  EXPECT_TRUE(call("/t/Echo", {"x"}));
  server_->shutdown(0ms);
  EXPECT_FALSE(call("/t/Echo", {"x"}));
  server_->listen("127.0.0.1:" + std::to_string(port_)).value();
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!call("/t/Echo", {"x"}) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(call("/t/Echo", {"x"}));
}

base::Co<> end(std::unique_ptr<GrpcClient> client) {
  client.reset();
  co_return base::Result<>{};
}

TEST_F(GrpcTest, ClientThatEndsTakesItsCallsWithIt) {
  auto held = client_->call("/t/Hang", {});
  auto flooded = client_->call("/t/Flood", {});
  EXPECT_EQ(loop_.run(read_some(flooded.get(), 1)), 1);
  EXPECT_TRUE(loop_.run(end(std::move(client_))));
  EXPECT_FALSE(loop_.run(next(held.get())));
  EXPECT_TRUE(loop_.run(drop(std::move(held))));
  EXPECT_TRUE(loop_.run(drop(std::move(flooded))));
}

TEST_F(GrpcTest, PortThatIsTaken) {
  GrpcServer second(loop_.executor(), {});
  const auto taken = second.listen("127.0.0.1:" + std::to_string(port_));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace orchion::wire::grpc
