// What nodes send about images on streams of their own: archives, and how far pulls are.

#include <gmock/gmock.h>

#include "control/services/image_service.h"
#include "control/services/services_fixture_test.h"

namespace orchion::control::services {
namespace {

using base::Code;
using testing::ElementsAre;

constexpr char kApp[] = "docker.io/library/app:1";

class ImageStreamsTest : public ServicesFixture {
 protected:
  // A node's end of the streams that are asked of it; it says what the test says.
  struct FakeNode {
    std::vector<v1::StreamRequest> asked;
    std::unique_ptr<core::MessageStream> stream;  // the newest
    store::Outcome<void> ended;
  };

  ImageStreamsTest() { add_image_service(table_, std::make_shared<ImageService>(context(), streams_)); }
  ~ImageStreamsTest() override {
    stop_.emit(boost::asio::cancellation_type::all);
    loop_.poll();
  }

  template <class T>
  void add(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
    loop_.poll();
  }

  FakeNode& add_node(const std::string& name) {
    v1::Node object;
    object.mutable_meta()->set_name(name);
    object.mutable_meta()->set_uid("uid-" + name);
    object.mutable_status()->set_state(v1::NodeStatus::READY);
    add(object);
    auto& node = nodes_[name];
    streams_.session_opened("uid-" + name, 1, [this, &node](v1::ToAgent message) {
      node.asked.push_back(message.stream());
      auto [agents, servers] = base::make_pipe<core::MessagePtr, core::MessagePtr>(loop_.executor(), 100);
      node.stream = std::move(agents);
      core::CallContext call;
      call.identity = "admin";
      node.ended = loop_.start(streams_.serve(call, message.stream().id(),
                                              AgentStream(std::shared_ptr<core::MessageStream>(std::move(servers)))));
      return true;
    });
    return node;
  }

  void add_image(const std::string& node) {
    v1::Image image;
    image.mutable_meta()->set_name(kApp);
    image.mutable_meta()->set_uid("image");
    image.mutable_status()->add_nodes(node);
    add(image);
  }

  void send(FakeNode& node, v1::StreamFromAgent message) {
    ASSERT_NE(node.stream, nullptr);
    ASSERT_TRUE(loop_.run(node.stream->send(std::make_unique<v1::StreamFromAgent>(std::move(message)))));
    loop_.poll();
  }

  void send_data(FakeNode& node, const std::string& data) {
    v1::StreamFromAgent message;
    message.set_data(data);
    send(node, std::move(message));
  }

  void send_pull(FakeNode& node, const std::string& reference, std::uint64_t done) {
    v1::StreamFromAgent message;
    message.mutable_pull_progress()->set_reference(reference);
    message.mutable_pull_progress()->set_done_bytes(done);
    message.mutable_pull_progress()->set_total_bytes(10);
    send(node, std::move(message));
  }

  using Export = CollectedCall<v1::ExportImageRequest, v1::ImagePiece>;
  using Pulls = CollectedCall<v1::WatchPullsRequest, v1::PullProgress>;

  template <class Call>
  store::Outcome<void> start(const std::string& method, std::shared_ptr<Call> call) {
    const auto outcome =
        loop_.start(table_.find("orchion.v1.ImageService." + method)->call({}, std::move(call)), &stop_);
    loop_.poll();
    return outcome;
  }

  std::shared_ptr<Export> export_of(const std::string& name) {
    v1::ExportImageRequest request;
    request.set_name(name);
    return std::make_shared<Export>(std::deque<v1::ExportImageRequest>{request});
  }

  using Import = CollectedCall<v1::ImportImageRequest, v1::Image>;

  static std::shared_ptr<Import> import_of(const std::vector<std::string>& pieces) {
    std::deque<v1::ImportImageRequest> requests;
    for (const auto& piece : pieces) requests.emplace_back().set_data(piece);
    requests.front().set_name("app:1");
    return std::make_shared<Import>(std::move(requests));
  }

  core::MethodTable table_;
  NodeStreams streams_{loop_.executor(), clock_, random_};
  std::map<std::string, FakeNode> nodes_;
  boost::asio::cancellation_signal stop_;
};

TEST_F(ImageStreamsTest, AnArchiveComesFromANodeThatHoldsTheImage) {
  auto& other = add_node("n1");
  auto& holder = add_node("n2");
  add_image("n2");
  const auto call = export_of("app:1");
  const auto ended = start("ExportImage", call);
  EXPECT_TRUE(other.asked.empty());
  ASSERT_EQ(holder.asked.size(), 1u);
  EXPECT_EQ(holder.asked[0].export_().reference(), kApp);
  for (const char* piece : {"one ", "two", ""}) send_data(holder, piece);
  ASSERT_TRUE(ended->has_value() && ended->value());
  ASSERT_EQ(call->responses.size(), 2u);
  EXPECT_EQ(call->responses[0].data() + call->responses[1].data(), "one two");
}

TEST_F(ImageStreamsTest, WhatOnlyAnEngineMayHaveIsAskedOfEveryNode) {
  auto& first = add_node("n1");
  auto& second = add_node("n2");
  const auto call = export_of("app:1");
  const auto ended = start("ExportImage", call);
  ASSERT_EQ(first.asked.size(), 1u);
  first.stream.reset();
  loop_.poll();
  ASSERT_EQ(second.asked.size(), 1u);
  send_data(second, "all");
  send_data(second, "");
  ASSERT_TRUE(ended->has_value() && ended->value());
  EXPECT_EQ(call->responses.at(0).data(), "all");
}

TEST_F(ImageStreamsTest, AnImportSucceedsWhereOneNodeTakesIt) {
  v1::Node gone;  // ready by its object, and its agent is just started anew
  gone.mutable_meta()->set_name("n1");
  gone.mutable_meta()->set_uid("uid-n1");
  gone.mutable_status()->set_state(v1::NodeStatus::READY);
  add(gone);
  auto& taker = add_node("n2");
  auto& breaks = add_node("n3");
  const auto call = import_of({"one ", "two"});
  const auto ended = start("ImportImage", call);
  ASSERT_EQ(taker.asked.size(), 1u);
  ASSERT_EQ(breaks.asked.size(), 1u);
  v1::StreamFromAgent failure;
  failure.mutable_failure()->set_code(static_cast<int>(Code::kResourceExhausted));
  failure.mutable_failure()->set_message("the disk is full");
  send(breaks, failure);
  v1::StreamFromAgent done;
  done.mutable_image()->mutable_meta()->set_name(kApp);
  send(taker, done);
  clock_.advance(std::chrono::seconds(10));
  loop_.poll();
  ASSERT_TRUE(ended->has_value());
  ASSERT_TRUE(ended->value()) << ended->value().error().message;
  ASSERT_EQ(call->responses.size(), 1u);
  EXPECT_EQ(call->responses[0].meta().name(), kApp);
  EXPECT_THAT(call->responses[0].status().nodes(), ElementsAre("n2"));
}

TEST_F(ImageStreamsTest, AnImportThatNoNodeTakesFails) {
  auto& node = add_node("n1");
  const auto ended = start("ImportImage", import_of({"junk"}));
  v1::StreamFromAgent failure;
  failure.mutable_failure()->set_code(static_cast<int>(Code::kInvalidArgument));
  failure.mutable_failure()->set_message("that is no archive");
  send(node, failure);
  ASSERT_TRUE(ended->has_value());
  ASSERT_FALSE(ended->value());
  EXPECT_EQ(ended->value().error().message, "that is no archive");
}

TEST_F(ImageStreamsTest, AWrongNameIsRefused) {
  add_node("n1");
  const auto call = export_of("a b");
  const auto ended = start("ExportImage", call);
  ASSERT_TRUE(ended->has_value() && !ended->value());
  EXPECT_EQ(ended->value().error().code, Code::kInvalidArgument);
  EXPECT_EQ(ended->value().error().fields.at(0).pointer, "/name");
}

TEST_F(ImageStreamsTest, PullsOfAllNodesAreOneStream) {
  auto& first = add_node("n1");
  auto& second = add_node("n2");
  auto all = std::make_shared<Pulls>(std::deque<v1::WatchPullsRequest>{{}});
  start("WatchPulls", all);
  ASSERT_TRUE(first.asked.at(0).has_pulls());
  send_pull(first, kApp, 1);
  send_pull(second, "other:1", 2);
  ASSERT_EQ(all->responses.size(), 2u);
  EXPECT_EQ(all->responses[0].node(), "n1");
  EXPECT_EQ(all->responses[1].node(), "n2");
  EXPECT_EQ(all->responses[1].done_bytes(), 2u);

  // A node that was away is asked again, and one that joins is asked too.
  first.stream.reset();
  auto& third = add_node("n3");
  clock_.advance(std::chrono::seconds(1));
  loop_.poll();
  EXPECT_EQ(first.asked.size(), 2u);
  ASSERT_EQ(third.asked.size(), 1u);
  send_pull(first, kApp, 3);
  EXPECT_EQ(all->responses.at(2).done_bytes(), 3u);
  stop_.emit(boost::asio::cancellation_type::all);
  loop_.poll();
  EXPECT_TRUE(second.ended->has_value()) << "nobody is asked any longer";
}

TEST_F(ImageStreamsTest, PullsOfOneImageAreAskedFor) {
  auto& node = add_node("n1");
  v1::WatchPullsRequest request;
  request.set_reference("app:1");
  auto call = std::make_shared<Pulls>(std::deque<v1::WatchPullsRequest>{request});
  start("WatchPulls", call);
  send_pull(node, "other:1", 1);
  send_pull(node, kApp, 2);
  ASSERT_EQ(call->responses.size(), 1u);
  EXPECT_EQ(call->responses[0].reference(), kApp);
}

}  // namespace
}  // namespace orchion::control::services
