// The door for nodes, where other servers lead calls on: who may ask what there, and as whom.

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "control/serving/grpc_front.h"
#include "v1/control.pb.h"

namespace orchion::control::serving {
namespace {

using base::Code;

// A certificate says who it is by its own text.
class Certificates final : public Authenticator {
 public:
  base::Result<std::string> authenticate(std::string_view) override {
    return base::fail(Code::kUnauthenticated, "no token is good at this door");
  }
  base::Result<std::string> authenticate_certificate(std::string_view certificate) override {
    return std::string(certificate);
  }
  bool speaks_for_callers(const std::string& identity) override { return identity.starts_with("server:"); }
  base::Result<> allowed(const std::string& identity, const std::string& permission) override {
    if (identity.starts_with("server:") || permission == "agent") return {};
    return base::fail(Code::kPermissionDenied, identity + " lacks " + permission);
  }
};

class LedOnTest : public testing::Test {
 protected:
  LedOnTest() {
    table_.unary<v1::RemoveNodeRequest, google::protobuf::Empty>(
        "orchion.v1.NodeService.RemoveNode",
        [this](core::CallContext context, v1::RemoveNodeRequest) { return remove(std::move(context)); });
  }
  base::Co<google::protobuf::Empty> remove(core::CallContext context) {
    seen_ = std::move(context);
    co_return google::protobuf::Empty();
  }
  base::Result<> call(GrpcFront& front, const std::string& certificate) {
    wire::grpc::Call call{.method = "/orchion.v1.NodeService/RemoveNode",
                          .metadata = {{kCallerMetadata, "ann"}},
                          .peer = "",
                          .peer_certificate = certificate};
    auto [mine, theirs] = base::make_pipe<std::string, std::string>(io_.get_executor(), 4);
    base::Result<> result = base::fail(Code::kUnknown, "it didn't end");
    boost::asio::co_spawn(io_, mine->send(v1::RemoveNodeRequest().SerializeAsString()),
                          [](std::exception_ptr, base::Result<>) {});
    boost::asio::co_spawn(io_,
                          front.handle(std::move(call), std::shared_ptr<wire::grpc::ByteStream>(std::move(theirs))),
                          [&](std::exception_ptr, base::Result<> ended) { result = std::move(ended); });
    io_.restart();
    io_.run();
    return result;
  }

  boost::asio::io_context io_;
  Certificates certificates_;
  core::MethodTable table_;
  std::optional<core::CallContext> seen_;
};

TEST_F(LedOnTest, AServerSaysWhoseCallItIs) {
  GrpcFront front(certificates_, table_, GrpcFront::Callers::kNodes);
  const auto called = call(front, "server:s1");
  ASSERT_TRUE(called) << called.error().message;
  ASSERT_TRUE(seen_);
  EXPECT_EQ(seen_->identity, "ann");
  EXPECT_TRUE(seen_->led_on);
}

TEST_F(LedOnTest, ANodeDoesNot) {
  GrpcFront front(certificates_, table_, GrpcFront::Callers::kNodes);
  EXPECT_EQ(call(front, "node:n1").error().code, Code::kPermissionDenied);
  EXPECT_FALSE(seen_);
}

TEST_F(LedOnTest, AtTheUsersDoorNobodyIsAServer) {
  GrpcFront front(certificates_, table_);
  EXPECT_EQ(call(front, "server:s1").error().code, Code::kUnauthenticated);
  EXPECT_FALSE(seen_);
}

}  // namespace
}  // namespace orchion::control::serving
