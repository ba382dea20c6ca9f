#include <gmock/gmock.h>

#include "control/serving/serving_fixture.h"
#include "grpc/health.pb.h"
#include "grpc/reflection.pb.h"

namespace orchion::control::serving {
namespace {

namespace rf = ::grpc::reflection::v1alpha;
namespace health = ::grpc::health::v1;

class GrpcFrontTest : public ServingTest {
 protected:
  template <class Response>
  base::Result<Response> ask(std::string method, const google::protobuf::Message& request, std::string token = "good") {
    auto responses = call(std::move(method), {request.SerializeAsString()}, std::move(token));
    if (!responses) return std::unexpected(responses.error());
    Response response;
    EXPECT_EQ(responses->size(), 1u);
    EXPECT_TRUE(response.ParseFromString(responses->at(0)));
    return response;
  }
};

TEST_F(GrpcFrontTest, UnaryRedactsSecrets) {
  v1::GetStackRequest request;
  request.set_name("web");
  const auto stack = ask<v1::Stack>("/orchion.v1.StackService/GetStack", request);
  ASSERT_TRUE(stack);
  EXPECT_EQ(stack->meta().name(), "web");
  EXPECT_EQ(stack->spec().services(0).spec().container().environment(0).value(), "<redacted>");
}

TEST_F(GrpcFrontTest, WhatGoesToManyShowsNoSecrets) {
  v1::WatchRequest request;
  request.set_since("last");
  const auto events = call("/orchion.v1.WatchService/Watch", {request.SerializeAsString()});
  ASSERT_TRUE(events) << events.error().message;
  ASSERT_EQ(events->size(), 3u);
  EXPECT_EQ(events->at(0), events->at(1));
  v1::WatchEvent event;
  ASSERT_TRUE(event.ParseFromString(events->at(0)));
  EXPECT_EQ(event.service().spec().container().environment(0).name(), "PASSWORD");
  EXPECT_EQ(event.service().spec().container().environment(0).value(), "<redacted>");
}

TEST_F(GrpcFrontTest, StatusesAndBrokenMessages) {
  v1::GetStackRequest request;
  request.set_name("none");
  EXPECT_EQ(ask<v1::Stack>("/orchion.v1.StackService/GetStack", request).error(),
            (base::Error{Code::kNotFound, "there is no stack none: see `orchion ps`", {}}));
  EXPECT_EQ(call("/orchion.v1.StackService/GetStack", {"\xff\xff"}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(call("/orchion.v1.StackService/GetStack", {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(call("/orchion.v1.Nothing/Here", {}).error().code, Code::kUnimplemented);
}

TEST_F(GrpcFrontTest, AWriteRefusesWhatItDoesNotHeed) {
  const auto ask = [&](const std::string& method, std::string name, std::string value) {
    return call("/orchion.v1." + method, {""}, "good", {{std::move(name), std::move(value)}}).error();
  };
  EXPECT_EQ(ask("ImageService/PullImage", "if-match", "42"),
            (base::Error{
                Code::kInvalidArgument, "PullImage does not heed If-Match, so nothing was done: send it without", {}}));
  EXPECT_EQ(ask("ImageService/ImportImage", "idempotency-key", "k").code, Code::kInvalidArgument);
  EXPECT_EQ(ask("StackService/DeleteStack", "idempotency-key", "k").code, Code::kUnimplemented) << "the handler's own";
  EXPECT_TRUE(call("/orchion.v1.StackService/ApplyStack", {""}, "good", {{"if-match", "42"}}));
  EXPECT_TRUE(call("/orchion.v1.StackService/GetStack", {""}, "good", {{"if-match", "1"}})) << "a read";
}

TEST_F(GrpcFrontTest, NoRpcOpensWithoutAToken) {
  for (const auto& [name, method] : table_.all()) {
    const auto path = "/" + method.descriptor->service()->full_name() + "/" + method.descriptor->name();
    const bool open = core::permission_of(*method.descriptor) == "public";
    if (open && method.descriptor->server_streaming()) continue;  // it would go on for ever
    for (const std::string token : {"", "wrong"}) {
      const auto answer = call(path, {""}, token);
      EXPECT_EQ(!answer && answer.error().code == Code::kUnauthenticated, !open) << path;
    }
  }
}

// The matrices are only as good as the table is complete.
TEST_F(GrpcFrontTest, TheTableHoldsTheWholeContract) {
  for (const auto* file : {v1::ListStacksRequest::descriptor()->file(), v1::WatchEvent::descriptor()->file(),
                           v1::Hello::descriptor()->file(), v1::Channel::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const auto* method = file->service(s)->method(m);
        EXPECT_NE(table_.find(method->full_name()), nullptr) << method->full_name();
        EXPECT_NE(core::permission_of(*method), "") << method->full_name();
      }
    }
  }
}

TEST_F(GrpcFrontTest, Reflection) {
  rf::ServerReflectionRequest list;
  list.set_list_services("");
  const auto services =
      ask<rf::ServerReflectionResponse>("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", list);
  ASSERT_TRUE(services);
  EXPECT_EQ(services->list_services_response().service_size(), 17);
  rf::ServerReflectionRequest symbol;
  symbol.set_file_containing_symbol("orchion.v1.StackService");
  const auto files =
      ask<rf::ServerReflectionResponse>("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", symbol);
  ASSERT_TRUE(files);
  EXPECT_GE(files->file_descriptor_response().file_descriptor_proto_size(), 5);
  symbol.set_file_containing_symbol("nothing");
  const auto none =
      ask<rf::ServerReflectionResponse>("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", symbol);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->error_response().error_code(), 5);
}

base::Co<std::vector<int>> watch_health(wire::grpc::GrpcClient* client, std::promise<void>* serving) {
  const auto stream = client->call("/grpc.health.v1.Health/Watch", {}, 10s);
  CO_RETURN_IF_ERROR(co_await stream->send(""));
  stream->finish();
  std::vector<int> seen;
  while (seen.size() < 2) {
    CO_ASSIGN_OR_RETURN(auto bytes, co_await stream->receive());
    if (!bytes) break;
    health::HealthCheckResponse response;
    response.ParseFromString(*bytes);
    seen.push_back(response.status());
    if (seen.size() == 1) serving->set_value();
  }
  co_return seen;
}

boost::asio::awaitable<void> stop(Health* health) {
  health->stop();
  co_return;
}

TEST_F(GrpcFrontTest, HealthNeedsNoTokenAndIsWatched) {
  health::HealthCheckRequest request;
  const auto now = ask<health::HealthCheckResponse>("/grpc.health.v1.Health/Check", request, "");
  ASSERT_TRUE(now);
  EXPECT_EQ(now->status(), health::HealthCheckResponse::SERVING);
  request.set_service("nothing");
  EXPECT_EQ(ask<health::HealthCheckResponse>("/grpc.health.v1.Health/Check", request, "").error().code,
            Code::kNotFound);
  std::promise<void> serving;
  auto watched =
      std::async(std::launch::async, [&] { return client_loop_.run(watch_health(grpc_client_.get(), &serving)); });
  serving.get_future().wait();
  control_.run(stop(&health_));
  EXPECT_EQ(watched.get(),
            (std::vector<int>{health::HealthCheckResponse::SERVING, health::HealthCheckResponse::NOT_SERVING}));
}

TEST_F(GrpcFrontTest, ListenRules) {
  const auto open = serving_->listen_grpc("0.0.0.0:0");
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code, Code::kFailedPrecondition);
  EXPECT_FALSE(serving_->listen_http("192.168.1.1:80"));
  EXPECT_FALSE(serving_->listen_http("4600"));
}

}  // namespace
}  // namespace orchion::control::serving
