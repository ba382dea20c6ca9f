// With dry_run, nodes and images: what would be is said, nothing changes and no node is asked.

#include "control/services/image_service.h"
#include "control/services/image_uses.h"
#include "control/services/node_service.h"
#include "control/services/services_fixture_test.h"

namespace orchion::control::services {
namespace {

using base::Code;

constexpr char kApp[] = "docker.io/library/app:1";

// Two ready nodes, of which the first holds the image; neither has a session, so that who asks one gets an error.
class DryRunTest : public ServicesFixture {
 protected:
  DryRunTest() {
    add_node("n1");
    add_node("n2");
    v1::Image image;
    image.mutable_meta()->set_name(kApp);
    image.mutable_meta()->set_uid("image");
    image.mutable_status()->set_digest("sha256:1");
    image.mutable_status()->set_size_bytes(7);
    image.mutable_status()->add_nodes("n1");
    add(image);
    add_node_service(table_,
                     std::make_shared<NodeService>(context(), streams_, [this](const auto&, base::Error) { ++gone_; }));
    add_image_service(table_, std::make_shared<ImageService>(context(), streams_));
    before_ = view().revision();
  }

  template <class T>
  void add(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
  }

  void add_node(const std::string& name) {
    v1::Node node;
    node.mutable_meta()->set_name(name);
    node.mutable_meta()->set_uid("uid-" + name);
    node.mutable_status()->set_state(v1::NodeStatus::READY);
    add(node);
  }

  void add_task_of_image() {
    v1::Revision revision;
    revision.mutable_meta()->set_stack("shop");
    revision.mutable_meta()->set_name("web.1");
    revision.mutable_meta()->set_uid("r");
    revision.mutable_spec()->mutable_template_()->mutable_container()->set_image("app:1");
    add(revision);
    v1::Task task;
    task.mutable_meta()->set_stack("shop");
    task.mutable_meta()->set_name("web.1.a");
    task.mutable_meta()->set_uid("t");
    task.mutable_spec()->set_revision("web.1");
    task.mutable_spec()->mutable_assignment()->set_node("n1");
    task.mutable_spec()->mutable_assignment()->set_node_uid("uid-n1");
    add(task);
    before_ = view().revision();
  }

  template <class Response, class Request>
  base::Result<Response> dry(const std::string& rpc, Request request, core::CallContext call = {}) {
    request.set_dry_run(true);
    auto answer = this->call<Response, Request>(table_, rpc, {request}, std::move(call));
    EXPECT_EQ(view().revision(), before_) << "nothing was written";
    EXPECT_EQ(gone_, 0);
    return answer;
  }

  NodeStreams streams_{loop_.executor(), clock_, random_};
  core::MethodTable table_;
  store::Revision before_ = 0;
  int gone_ = 0;
};

TEST_F(DryRunTest, ANodeSaysHowItWouldBe) {
  v1::SetNodeAvailabilityRequest request;
  request.set_name("n1");
  request.set_availability(v1::NodeSpec::DRAINED);
  const auto would = dry<v1::Node>("NodeService.SetNodeAvailability", request);
  ASSERT_TRUE(would) << would.error().message;
  EXPECT_EQ(would->spec().availability(), v1::NodeSpec::DRAINED);
  EXPECT_EQ(view().nodes().find("n1")->spec().availability(), v1::NodeSpec::ACTIVE);
  request.set_availability(static_cast<v1::NodeSpec::Availability>(77));
  const auto odd = dry<v1::Node>("NodeService.SetNodeAvailability", request);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().message, "/availability: 77 is none of ACTIVE, PAUSED, DRAINED");
  EXPECT_EQ(odd.error().fields.at(0).pointer, "/availability");
  request.set_availability(v1::NodeSpec::DRAINED);
  request.set_name("none");
  EXPECT_EQ(dry<v1::Node>("NodeService.SetNodeAvailability", request).error().code, Code::kNotFound);
}

TEST_F(DryRunTest, ANodeThatCouldNotBeRemovedSaysSo) {
  using google::protobuf::Empty;
  v1::RemoveNodeRequest request;
  request.set_name("n1");
  EXPECT_TRUE(dry<Empty>("NodeService.RemoveNode", request));
  core::CallContext stale;
  stale.if_match = 12345;
  EXPECT_EQ(dry<Empty>("NodeService.RemoveNode", request, stale).error().code, Code::kAborted);
  add_task_of_image();
  EXPECT_EQ(dry<Empty>("NodeService.RemoveNode", request).error().code, Code::kFailedPrecondition);
  request.set_force(true);
  EXPECT_TRUE(dry<Empty>("NodeService.RemoveNode", request));
}

TEST_F(DryRunTest, APullSaysWhereTheImageWouldBe) {
  v1::PullImageRequest request;
  request.set_reference("app:1");
  const auto would = dry<v1::Image>("ImageService.PullImage", request);
  ASSERT_TRUE(would) << would.error().message;
  EXPECT_EQ(would->meta().name(), kApp);
  EXPECT_EQ(would->status().nodes_size(), 2);
  request.set_node("none");
  EXPECT_EQ(dry<v1::Image>("ImageService.PullImage", request).error().code, Code::kNotFound);
  request.set_reference("No Image");
  const auto odd = dry<v1::Image>("ImageService.PullImage", request);
  EXPECT_EQ(odd.error().code, Code::kInvalidArgument);
  EXPECT_EQ(odd.error().fields.at(0).pointer, "/reference");
}

TEST_F(DryRunTest, APushIsChecked) {
  v1::PushImageRequest request;
  request.set_reference("app:1");
  EXPECT_TRUE(dry<v1::Image>("ImageService.PushImage", request));
  request.set_destination("localhost:5000/app@sha256:" + std::string(64, 'a'));
  EXPECT_EQ(dry<v1::Image>("ImageService.PushImage", request).error().code, Code::kInvalidArgument);
  request.set_destination("registry.example/app:2");
  EXPECT_TRUE(dry<v1::Image>("ImageService.PushImage", request));
  request.set_plain_http(true);
  const auto open = dry<v1::Image>("ImageService.PushImage", request);
  EXPECT_EQ(open.error().code, Code::kInvalidArgument) << "an image would travel in the open";
  EXPECT_EQ(open.error().fields.at(0).pointer, "/plainHttp");
  request.set_destination("localhost:5000/app:2");
  EXPECT_TRUE(dry<v1::Image>("ImageService.PushImage", request));
  request.set_reference("other:1");
  EXPECT_EQ(dry<v1::Image>("ImageService.PushImage", request).error().code, Code::kNotFound);
}

TEST_F(DryRunTest, AnImportIsReadToItsEndAndNotKept) {
  v1::ImportImageRequest first;
  first.set_name("new:1");
  first.set_dry_run(true);
  v1::ImportImageRequest piece;
  piece.set_data("no archive");
  const auto would = call<v1::Image, v1::ImportImageRequest>(table_, "ImageService.ImportImage", {first, piece, piece});
  ASSERT_TRUE(would) << would.error().message;
  EXPECT_EQ(would->meta().name(), "docker.io/library/new:1");
  EXPECT_EQ(would->status().nodes_size(), 2);
  EXPECT_EQ(view().revision(), before_);
  first.set_name("No Name");
  const auto odd = call<v1::Image, v1::ImportImageRequest>(table_, "ImageService.ImportImage", {first});
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().fields.at(0).pointer, "/name");
}

TEST_F(DryRunTest, ATagIsSaidAndNotMade) {
  v1::TagImageRequest request;
  request.set_reference("app:1");
  request.set_name("app:stable");
  const auto tagged = dry<v1::Image>("ImageService.TagImage", request);
  ASSERT_TRUE(tagged) << tagged.error().message;
  EXPECT_EQ(tagged->meta().name(), "docker.io/library/app:stable");
  EXPECT_EQ(view().revision(), before_);
  request.set_name("app@sha256:" + std::string(64, '0'));
  const auto digest = dry<v1::Image>("ImageService.TagImage", request);
  ASSERT_FALSE(digest);
  EXPECT_EQ(digest.error().fields.at(0).pointer, "/name");
}

TEST_F(DryRunTest, WhatATaskUsesIsNeitherRemovedNorPruned) {
  using google::protobuf::Empty;
  v1::RemoveImageRequest request;
  request.set_reference("app:1");
  EXPECT_TRUE(dry<Empty>("ImageService.RemoveImage", request));
  const auto all = dry<v1::PruneImagesResponse>("ImageService.PruneImages", v1::PruneImagesRequest());
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->removed_size(), 1);
  EXPECT_EQ(all->removed(0), kApp);
  EXPECT_EQ(all->freed_bytes(), 7);
  add_task_of_image();
  const auto used = dry<Empty>("ImageService.RemoveImage", request);
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(dry<v1::PruneImagesResponse>("ImageService.PruneImages", v1::PruneImagesRequest())->removed_size(), 0);
}

}  // namespace
}  // namespace orchion::control::services
