#pragma once

// For this folder's tests: the whole contract with canned handlers, served by a real server, and its clients.

#include <future>

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/notifier.h"
#include "control/serving/health.h"
#include "control/serving/reflection.h"
#include "control/serving/serving.h"
#include "v1/control.pb.h"
#include "v1/dispatcher.pb.h"
#include "v1/watch.pb.h"
#include "wire/grpc/grpc_client.h"
#include "wire/http_client.h"
#include "wire/testing.h"

namespace orchion::control::serving {

using base::Code;
using wire::testing::LoopThread;
using namespace std::chrono_literals;

class FakeAuthenticator final : public Authenticator {
 public:
  base::Result<std::string> authenticate(std::string_view bearer) override {
    if (bearer == "good") return std::string("admin");
    if (bearer == "reader") return std::string("reader");
    return base::fail(Code::kUnauthenticated, "the token is not known: use the one the server made");
  }
  base::Result<std::string> authenticate_certificate(std::string_view certificate) override {
    if (certificate.starts_with("-----BEGIN CERTIFICATE-----")) return std::string("node:n1");
    return base::fail(Code::kUnauthenticated, "the certificate is not known");
  }
  bool speaks_for_callers(const std::string& identity) override { return identity == "server:s1"; }
  base::Result<> allowed(const std::string& identity, const std::string& permission) override {
    if (identity == "node:n1" && permission == "agent") return {};
    if (identity == "admin" || permission.ends_with(".read")) return {};
    return base::fail(Code::kPermissionDenied, identity + " lacks " + permission + ": ask an administrator for it");
  }
};

// Handlers that show what reached them.
class CannedHandlers {
 public:
  explicit CannedHandlers(base::Executor control) : never(control) {}

  void add_to(core::MethodTable& table);

  std::promise<void> hang_begun;
  std::promise<void> hang_ended;
  base::Notifier never;
  v1::ListTasksResponse tasks;
  core::CallContext last_context;
  v1::ApplyStackRequest last_apply;
  std::string bookmark = "e.1";  // where the store stands
  int lists = 0;                 // calls of ListTasks
  v1::LogsRequest last_logs;
  v1::WatchRequest last_watch;

 private:
  template <class Request, class Response>
  void unimplemented(core::MethodTable& table, std::string_view name);
  template <class Request, class Response>
  void unimplemented_stream(core::MethodTable& table, std::string_view name);
  void add_unimplemented(core::MethodTable& table);

  base::Co<v1::Stack> get_stack(core::CallContext context, v1::GetStackRequest request);
  base::Co<v1::ApplyStackResponse> apply(core::CallContext context, v1::ApplyStackRequest request);
  base::Co<v1::Image> get_image(v1::GetImageRequest request);
  base::Co<v1::ListTasksResponse> list_tasks(core::CallContext context, v1::ListTasksRequest request);
  base::Co<> logs(core::CallContext context, core::TypedStream<v1::LogsRequest, v1::LogLine> stream);
  base::Co<> watch(std::shared_ptr<core::MessageStream> stream);  // until it is told to begin at "last"
  base::Co<> forward(core::TypedStream<v1::ForwardInput, v1::ForwardOutput> stream);  // an echo
  base::Co<> exec(core::CallContext context, core::TypedStream<v1::ExecInput, v1::ExecOutput> stream);
  base::Co<> import(core::CallContext context, core::TypedStream<v1::ImportImageRequest, v1::Image> stream);
  base::Co<> export_image(core::CallContext context, core::TypedStream<v1::ExportImageRequest, v1::ImagePiece> stream);
};

struct Answer {
  int status = 0;
  std::string body;
  wire::Headers headers;

  boost::json::value json() const { return boost::json::parse(body); }
  std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
};

class ServingTest : public ::testing::Test {
 protected:
  ServingTest();
  ~ServingTest() override;

  // With the admin's token unless `token` says otherwise; "" sends none.
  Answer send(std::string method, std::string target, std::string body = "", std::string token = "good",
              std::vector<std::pair<std::string, std::string>> headers = {});
  base::Result<std::vector<std::string>> call(std::string method, std::vector<std::string> requests,
                                              std::string token = "good",
                                              std::multimap<std::string, std::string> metadata = {});

  // Each ends before the next above it.
  LoopThread control_;
  LoopThread http_;
  LoopThread client_loop_;
  wire::testing::TempFolder folder_;
  FakeAuthenticator authenticator_;
  core::MethodTable table_;
  CannedHandlers handlers_{control_.executor()};
  Health health_{control_.executor()};
  std::unique_ptr<Serving> serving_;
  std::uint16_t http_port_ = 0;
  std::uint16_t grpc_port_ = 0;
  std::unique_ptr<wire::HttpClient> client_;
  std::unique_ptr<wire::grpc::GrpcClient> grpc_client_;
};

}  // namespace orchion::control::serving
