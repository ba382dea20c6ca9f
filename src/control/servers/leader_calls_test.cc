// A server that doesn't lead, and one that does on a real connection.

#include "control/servers/leader_calls.h"

#include <thread>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "control/servers/leader_methods.h"
#include "control/serving/grpc_front.h"
#include "v1/control.pb.h"
#include "wire/grpc/grpc_server.h"

namespace orchion::control::servers {
namespace {

using base::Code;
using namespace std::chrono_literals;

constexpr char kUnary[] = "orchion.v1.NodeService.RemoveNode";
constexpr char kStream[] = "orchion.v1.TaskService.Exec";

class LeaderCallsTest : public testing::Test {
 protected:
  LeaderCallsTest() {
    table_.unary<v1::RemoveNodeRequest, google::protobuf::Empty>(
        kUnary, [this](core::CallContext context, v1::RemoveNodeRequest request) { return remove(context, request); });
    table_.stream<v1::ExecInput, v1::ExecOutput>(
        kStream,
        [](core::CallContext, core::TypedStream<v1::ExecInput, v1::ExecOutput> stream) { return echo(stream); });
    calls_.wrap(table_, kUnary);
    calls_.wrap(table_, kStream);
  }
  ~LeaderCallsTest() override {
    calls_.nobody_leads();
    // The calls that it ends need the loop to end.
    std::jthread closing([this] {
      leader_.shutdown(0ms);
      guard_.reset();
    });
    io_.run();
  }

  base::Co<google::protobuf::Empty> remove(core::CallContext context, v1::RemoveNodeRequest request) {
    locally_ += context.identity + " removes " + request.name();
    co_return google::protobuf::Empty();
  }
  static base::Co<> echo(core::TypedStream<v1::ExecInput, v1::ExecOutput> stream) {
    for (;;) {
      CO_ASSIGN_OR_RETURN(auto input, co_await stream.receive());
      if (!input) co_return base::Result<>{};
      v1::ExecOutput output;
      output.set_stdout(input->data());
      CO_RETURN_IF_ERROR(co_await stream.send(std::move(output)));
    }
  }

  // The leader, as bytes.
  base::Co<> serve(wire::grpc::Call call, std::shared_ptr<wire::grpc::ByteStream> stream) {
    elsewhere_ = call;
    if (fails_) co_return base::fail(Code::kUnavailable, "the node is away");
    if (hangs_) co_return co_await base::wait_for_ever();
    CO_ASSIGN_OR_RETURN(const auto request, co_await stream->receive());
    if (call.method == "/orchion.v1.NodeService/RemoveNode")
      co_return co_await stream->send(google::protobuf::Empty().SerializeAsString());
    v1::ExecOutput output;
    output.set_stdout("from afar");
    CO_RETURN_IF_ERROR(co_await stream->send(output.SerializeAsString()));
    CO_ASSIGN_OR_RETURN(const auto end, co_await stream->receive());
    co_return end ? base::fail(Code::kInternal, "the caller had finished") : base::Result<>{};
  }

  // Calls and waits for the end.
  struct Ended {
    base::Result<> result;
    std::vector<core::MessagePtr> answers;
  };
  Ended call(const char* name, std::vector<core::MessagePtr> requests,
             core::CallContext context = {.identity = "ann"}) {
    auto [mine, made] = base::make_pipe<core::MessagePtr, core::MessagePtr>(io_.get_executor(), 16);
    const std::shared_ptr<core::MessageStream> theirs = std::move(made);
    std::optional<base::Result<>> ended;
    bool spoken = false;
    Ended all;
    boost::asio::co_spawn(io_, table_.find(name)->call(std::move(context), theirs),
                          [&](std::exception_ptr, base::Result<> result) { ended = std::move(result); });
    boost::asio::co_spawn(io_, speak(mine.get(), std::move(requests), &all.answers),
                          [&](std::exception_ptr, base::Result<>) { spoken = true; });
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!ended && std::chrono::steady_clock::now() < deadline) io_.run_one_for(100ms);
    all.result = ended ? *ended : base::Result<>(base::fail(Code::kDeadlineExceeded, "the call didn't end"));
    theirs->finish();
    while (!spoken) io_.run_one();
    return all;
  }
  static base::Co<> speak(core::MessageStream* stream, std::vector<core::MessagePtr> requests,
                          std::vector<core::MessagePtr>* answers) {
    for (auto& request : requests) CO_RETURN_IF_ERROR(co_await stream->send(std::move(request)));
    stream->finish();
    for (;;) {
      CO_ASSIGN_OR_RETURN(auto answer, co_await stream->receive());
      if (!answer) co_return base::Result<>{};
      answers->push_back(std::move(*answer));
    }
  }
  Ended remove_node(core::CallContext context = {.identity = "ann"}) {
    auto request = std::make_unique<v1::RemoveNodeRequest>();
    request->set_name("n1");
    std::vector<core::MessagePtr> requests;
    requests.push_back(std::move(request));
    return call(kUnary, std::move(requests), std::move(context));
  }
  base::Co<> catch_up() {
    ++caught_up_;
    co_return base::Result<>{};
  }

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{io_.get_executor()};
  base::SystemClock clock_;
  core::MethodTable table_;
  LeaderCalls calls_{
      io_.get_executor(), clock_, {.tls = std::nullopt, .caught_up = [this] { return catch_up(); }, .patience = 300ms}};
  wire::grpc::GrpcServer leader_{io_.get_executor(),
                                 [this](wire::grpc::Call call, std::shared_ptr<wire::grpc::ByteStream> stream) {
                                   return serve(std::move(call), std::move(stream));
                                 }};
  std::string address_ = "127.0.0.1:" + std::to_string(leader_.listen("127.0.0.1:0").value());
  std::string locally_;
  wire::grpc::Call elsewhere_;
  bool fails_ = false;
  bool hangs_ = false;
  int caught_up_ = 0;
};

TEST_F(LeaderCallsTest, WhoLeadsAnswersItself) {
  calls_.lead_here();
  EXPECT_TRUE(remove_node().result);
  EXPECT_EQ(locally_, "ann removes n1");
  EXPECT_EQ(caught_up_, 0);
}

TEST_F(LeaderCallsTest, AnotherLeadsCallsOnWithAllThatCameBesideThem) {
  calls_.lead_to(address_);
  const auto ended = remove_node({.identity = "ann", .if_match = 7, .idempotency_key = "k"});
  ASSERT_TRUE(ended.result) << ended.result.error().message;
  EXPECT_EQ(ended.answers.size(), 1u);
  EXPECT_EQ(locally_, "");
  EXPECT_EQ(elsewhere_.method, "/orchion.v1.NodeService/RemoveNode");
  EXPECT_EQ(elsewhere_.metadata.find(serving::kCallerMetadata)->second, "ann");
  EXPECT_EQ(elsewhere_.metadata.find("if-match")->second, "7");
  EXPECT_EQ(elsewhere_.metadata.find("idempotency-key")->second, "k");
  EXPECT_EQ(caught_up_, 1) << "who asks this server next finds what was done";
}

TEST_F(LeaderCallsTest, StreamsGoBothWays) {
  calls_.lead_to(address_);
  std::vector<core::MessagePtr> requests;
  requests.push_back(std::make_unique<v1::ExecInput>());
  const auto ended = call(kStream, std::move(requests));
  ASSERT_TRUE(ended.result) << ended.result.error().message;
  ASSERT_EQ(ended.answers.size(), 1u);
  EXPECT_EQ(static_cast<v1::ExecOutput&>(*ended.answers[0]).stdout(), "from afar");
}

TEST_F(LeaderCallsTest, ErrorsComeBackAsTheyAre) {
  calls_.lead_to(address_);
  fails_ = true;
  EXPECT_EQ(remove_node().result.error(), (base::Error{Code::kUnavailable, "the node is away", {}}));
}

TEST_F(LeaderCallsTest, WhatWasLedOnIsNotLedOnAgain) {
  calls_.lead_to(address_);
  EXPECT_EQ(remove_node({.identity = "ann", .led_on = true}).result.error().code, Code::kUnavailable);
  EXPECT_EQ(elsewhere_.method, "");
  calls_.lead_here();
  EXPECT_TRUE(remove_node({.identity = "ann", .led_on = true}).result);
}

TEST_F(LeaderCallsTest, ACallWaitsForSomebodyToLeadAndNotForEver) {
  const auto refused = remove_node();
  EXPECT_EQ(refused.result.error().code, Code::kUnavailable) << refused.result.error().message;
  boost::asio::steady_timer timer(io_, 100ms);
  timer.async_wait([this](auto) { calls_.lead_here(); });
  EXPECT_TRUE(remove_node().result);
}

TEST_F(LeaderCallsTest, CallsEndWhenAnotherLeads) {
  calls_.lead_to(address_);
  hangs_ = true;
  boost::asio::steady_timer timer(io_, 200ms);
  timer.async_wait([this](auto) { calls_.lead_here(); });
  const auto ended = remove_node();
  EXPECT_EQ(ended.result.error().code, Code::kUnavailable);
  EXPECT_NE(ended.result.error().message.find("another server leads"), std::string::npos)
      << ended.result.error().message;
}

TEST_F(LeaderCallsTest, ALeaderWithoutAnAddressIsSaid) {
  calls_.lead_to("");
  EXPECT_NE(remove_node().result.error().message.find("--advertise"), std::string::npos);
}

TEST(LeaderMethods, AreOfTheContract) {
  for (const auto name : leader_methods())
    EXPECT_NE(google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(std::string(name)), nullptr) << name;
}

}  // namespace
}  // namespace orchion::control::servers
