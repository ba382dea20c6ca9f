#include "client/route.h"

#include <gtest/gtest.h>

#include "v1/control.pb.h"

namespace orchion::client {
namespace {

TEST(RestCall, PutsPathFieldsIntoThePathAndTheRestIntoTheQuery) {
  v1::LogsRequest request;
  request.set_stack("my shop");
  request.set_service("web");
  request.set_follow(true);
  request.set_tail(0);
  request.mutable_since()->set_seconds(1767225600);
  const auto call = rest_call("orchion.v1.TaskService.Logs", request);
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(call->verb, "GET");
  EXPECT_EQ(call->target, "/v1/logs?stack=my%20shop&service=web&follow=true&since=2026-01-01T00%3A00%3A00Z&tail=0");
  EXPECT_EQ(call->body, "");
  v1::CopyFromRequest copy;
  copy.set_stack("my shop");
  copy.set_task("web.1");
  copy.set_path("/a b");
  EXPECT_EQ(rest_call("orchion.v1.TaskService.CopyFrom", copy)->target,
            "/v1/stacks/my%20shop/tasks/web.1/files?path=%2Fa%20b");
}

TEST(RestCall, WritesTheBodyAsJson) {
  v1::ScaleServiceRequest request;
  request.set_stack("shop");
  request.set_name("web");
  request.set_replicas(3);
  const auto call = rest_call("orchion.v1.ServiceService.ScaleService", request);
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(call->target, "/v1/stacks/shop/services/web/scale");
  EXPECT_EQ(call->body, R"({"stack":"shop","name":"web","replicas":3})");
}

TEST(RestCall, RefusesAnEmptyPathField) {
  const auto call = rest_call("orchion.v1.StackService.GetStack", v1::GetStackRequest());
  ASSERT_FALSE(call.has_value());
  EXPECT_EQ(call.error().message, "the name must not be empty");
}

}  // namespace
}  // namespace orchion::client
