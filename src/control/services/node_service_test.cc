#include "control/services/node_service.h"

#include <gmock/gmock.h>

#include "control/services/services_fixture_test.h"

namespace orchion::control::services {
namespace {

using base::Code;
using testing::HasSubstr;

class NodeServiceTest : public ServicesFixture {
 protected:
  NodeServiceTest() {
    add_node_service(table_, std::make_shared<NodeService>(context(), streams_, [](const auto&, base::Error) {}));
    v1::Node node;
    node.mutable_meta()->set_name("nas");
    node.mutable_meta()->set_uid("uid-nas");
    node.mutable_meta()->set_generation(1);
    store::Transaction transaction;
    store::create(transaction, node);
    commit(std::move(transaction));
  }

  base::Result<v1::Node> place(v1::SetNodePlacementRequest request, core::CallContext caller = {}) {
    return call<v1::Node, v1::SetNodePlacementRequest>(table_, "NodeService.SetNodePlacement", {std::move(request)},
                                                       std::move(caller));
  }
  static v1::SetNodePlacementRequest tainted(const std::string& key) {
    v1::SetNodePlacementRequest request;
    request.set_name("nas");
    request.add_taints()->set_key(key);
    return request;
  }
  const v1::Node& stored() { return *view().nodes().find("nas"); }

  NodeStreams streams_{loop_.executor(), clock_, random_};
  core::MethodTable table_;
};

TEST_F(NodeServiceTest, PlacementIsStoredWithAnEvent) {
  core::CallContext caller;
  caller.identity = "ann";
  const auto before = stored().meta().revision();
  const auto answer = place(tainted("gpu"), caller);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->spec().taints(0).key(), "gpu");
  EXPECT_EQ(stored().spec().taints(0).key(), "gpu");
  EXPECT_GT(answer->meta().revision(), before);
  EXPECT_EQ(stored().meta().revision(), answer->meta().revision());
  EXPECT_EQ(stored().meta().generation(), 2u);
  EXPECT_THAT(stored().meta().changed_by(), HasSubstr("ann"));
  ASSERT_EQ(view().events().all().size(), 1u);
  const auto& event = *view().events().all().begin()->second;
  EXPECT_EQ(event.reason(), "NodeChanged");
  EXPECT_EQ(event.message(), "node nas has now: taint gpu:no-new-tasks");
}

TEST_F(NodeServiceTest, WhatIsSoAlreadyWritesNothing) {
  ASSERT_TRUE(place(tainted("gpu")));
  const auto before = stored().meta().revision();
  const auto again = place(tainted("gpu"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->meta().revision(), before);
  EXPECT_EQ(view().events().all().size(), 1u);
}

TEST_F(NodeServiceTest, ADryRunAnswersAndChangesNothing) {
  auto request = tainted("gpu");
  request.set_dry_run(true);
  const auto answer = place(request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->spec().taints_size(), 1);
  EXPECT_EQ(stored().spec().taints_size(), 0);
  EXPECT_TRUE(view().events().all().empty());
}

TEST_F(NodeServiceTest, IfMatchIsHeeded) {
  core::CallContext caller;
  caller.if_match = stored().meta().revision();
  ASSERT_TRUE(place(tainted("one"), caller));
  const auto late = place(tainted("two"), caller);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kAborted);
  EXPECT_EQ(stored().spec().taints_size(), 1);
}

TEST_F(NodeServiceTest, WhatIsWrongIsRefused) {
  auto request = tainted("gpu");
  request.set_name("nobody");
  EXPECT_EQ(place(request).error().code, Code::kNotFound);
  EXPECT_EQ(place(tainted("g p u")).error().code, Code::kInvalidArgument);
  EXPECT_EQ(place(tainted("g p u")).error().fields.at(0).pointer, "/taints/0/key");
}

}  // namespace
}  // namespace orchion::control::services
