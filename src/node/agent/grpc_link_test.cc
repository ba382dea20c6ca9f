// Over a real connection on the loopback.

#include "node/agent/grpc_link.h"

#include <chrono>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "wire/grpc/grpc_server.h"

namespace orchion::node::agent {
namespace {

using wire::grpc::ByteStream;
using wire::grpc::Call;

// Answers the first message of a session with a Welcome that repeats what it saw; of a stream, keeps the last message.
struct Server {
  std::multimap<std::string, std::string> metadata;
  std::string method;
  v1::StreamFromAgent last;

  base::Co<> serve(Call call, std::shared_ptr<ByteStream> stream) {
    metadata = call.metadata;
    method = call.method;
    if (call.method.ends_with("OpenStream")) co_return co_await read_stream(stream);
    CO_ASSIGN_OR_RETURN(auto bytes, co_await stream->receive());
    v1::FromAgent hello;
    if (!bytes || !hello.ParseFromString(*bytes)) co_return base::fail(base::Code::kInvalidArgument, "no hello");
    v1::ToAgent welcome;
    welcome.mutable_welcome()->set_node_name(hello.hello().hostname());
    CO_RETURN_IF_ERROR(co_await stream->send(welcome.SerializeAsString()));
    CO_RETURN_IF_ERROR(co_await stream->send("\xff\xff\xff"));
    co_return base::Result<>{};
  }

  base::Co<> read_stream(std::shared_ptr<ByteStream> stream) {
    while (true) {
      CO_ASSIGN_OR_RETURN(auto bytes, co_await stream->receive());
      if (!bytes) co_return base::Result<>{};
      if (!last.ParseFromString(*bytes)) co_return base::fail(base::Code::kInvalidArgument, "no message");
    }
  }
};

class GrpcLinkTest : public testing::Test {
 protected:
  ~GrpcLinkTest() override {
    std::thread stopping([this] { grpc.shutdown(std::chrono::milliseconds(0)); });
    while (!io.stopped() && io.run_for(std::chrono::milliseconds(50)) > 0) continue;
    stopping.join();
  }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> result;
    boost::asio::co_spawn(io, std::move(coroutine),
                          [&](std::exception_ptr, base::Result<T> value) { result = std::move(value); });
    while (!result) io.run_one();
    return std::move(*result);
  }

  std::string listen() { return "127.0.0.1:" + std::to_string(grpc.listen("127.0.0.1:0").value()); }

  boost::asio::io_context io;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{io.get_executor()};
  Server server;
  wire::grpc::GrpcServer grpc{io.get_executor(), [this](Call call, std::shared_ptr<ByteStream> stream) {
                                return server.serve(std::move(call), std::move(stream));
                              }};
};

TEST_F(GrpcLinkTest, CarriesASession) {
  GrpcLink link(io.get_executor(), {listen()}, {{"authorization", "Bearer secret"}});
  auto session = run(link.open_session()).value();
  v1::FromAgent hello;
  hello.mutable_hello()->set_hostname("nas");
  ASSERT_TRUE(run(session->send(hello)).has_value());
  const auto welcome = run(session->receive());
  ASSERT_TRUE(welcome.has_value()) << welcome.error().message;
  EXPECT_EQ((*welcome)->welcome().node_name(), "nas");
  EXPECT_EQ(server.method, "/orchion.v1.DispatcherService/Session");
  EXPECT_EQ(server.metadata.find("authorization")->second, "Bearer secret");
  EXPECT_EQ(run(session->receive()).error().code, base::Code::kDataLoss);
}

TEST_F(GrpcLinkTest, ARefusalReachesTheOtherSide) {
  GrpcLink link(io.get_executor(), {listen()}, {});
  std::shared_ptr<DataStream> stream = run(link.open_stream()).value();
  const base::Error error{base::Code::kNotFound, "no such image", {}};
  ASSERT_TRUE(run(link.refuse(stream, error)).has_value());
  const auto end = run(stream->receive());
  EXPECT_TRUE(end.has_value() && !end->has_value());
  EXPECT_EQ(server.last.failure().code(), static_cast<int>(base::Code::kNotFound));
  EXPECT_EQ(server.last.failure().message(), "no such image");
}

TEST_F(GrpcLinkTest, EachSessionGoesToTheNextServer) {
  std::vector<std::string> told;
  const auto here = listen();
  GrpcLink link(io.get_executor(), {"127.0.0.1:1", here}, {}, std::nullopt,
                [&](const auto& servers) { told = servers; });
  auto session = run(link.open_session()).value();
  EXPECT_EQ(run(session->receive()).error().code, base::Code::kUnavailable);
  session = run(link.open_session()).value();
  v1::FromAgent hello;
  hello.mutable_hello()->set_hostname("nas");
  ASSERT_TRUE(run(session->send(hello)).has_value());
  EXPECT_TRUE(run(session->receive()).has_value());

  // It stays where it is while that one is among them.
  link.learn_servers({"127.0.0.1:2", here, "127.0.0.1:1"});
  EXPECT_EQ(told, (std::vector<std::string>{"127.0.0.1:2", here, "127.0.0.1:1"}));
  told.clear();
  link.learn_servers({"127.0.0.1:2", here, "127.0.0.1:1"});
  link.learn_servers({});
  EXPECT_TRUE(told.empty()) << "told of changes alone";
  std::shared_ptr<DataStream> stream = run(link.open_stream()).value();
  EXPECT_TRUE(run(link.refuse(stream, base::Error{base::Code::kNotFound, "", {}})).has_value());
  EXPECT_TRUE(run(stream->receive()).has_value());
  session = run(link.open_session()).value();
  EXPECT_EQ(run(session->receive()).error().code, base::Code::kUnavailable);
}

TEST_F(GrpcLinkTest, NobodyThereIsUnavailable) {
  GrpcLink link(io.get_executor(), {"127.0.0.1:1"}, {});
  auto session = run(link.open_session()).value();
  EXPECT_EQ(run(session->receive()).error().code, base::Code::kUnavailable);
}

}  // namespace
}  // namespace orchion::node::agent
