#include "control/services/channel_service.h"

#include <gmock/gmock.h>

#include "control/services/services_fixture_test.h"

namespace orchion::control::services {
namespace {

constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

base::Co<> pass_on(base::Result<> result) {
  co_return result;
}

class ChannelServiceTest : public ServicesFixture {
 protected:
  ChannelServiceTest() {
    add_channel_service(table_, std::make_shared<ChannelService>(context(), [this](v1::Channel channel) {
                          tested_ = channel.spec().slack().url();
                          return pass_on(test_result_);
                        }));
  }

  static v1::PutChannelRequest webhook(const std::string& url) {
    v1::PutChannelRequest request;
    request.set_name("ops");
    request.mutable_spec()->mutable_webhook()->set_url(url);
    request.mutable_spec()->mutable_webhook()->add_secrets(kSecret);
    return request;
  }

  base::Result<v1::Channel> put(v1::PutChannelRequest request, std::optional<store::Revision> if_match = {}) {
    core::CallContext context;
    context.if_match = if_match;
    return call<v1::Channel>(table_, "ChannelService.PutChannel", std::deque{std::move(request)}, std::move(context));
  }

  base::Result<v1::TestChannelResponse> test(const std::string& name) {
    v1::TestChannelRequest request;
    request.set_name(name);
    return call<v1::TestChannelResponse>(table_, "ChannelService.TestChannel", std::deque{request});
  }

  core::MethodTable table_;
  std::string tested_;
  base::Result<> test_result_;
};

TEST_F(ChannelServiceTest, PutMakesAndChanges) {
  const auto made = put(webhook("https://a.example.org/x"));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->spec().host(), "a.example.org");
  EXPECT_EQ(made->meta().generation(), 1u);
  const auto changed = put(webhook("https://b.example.org/x"), made->meta().revision());
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(changed->meta().uid(), made->meta().uid());
  EXPECT_EQ(changed->meta().generation(), 2u);
  EXPECT_EQ(view().channels().find("ops")->spec().host(), "b.example.org");
  EXPECT_EQ(put(webhook("https://c.example.org/x"), made->meta().revision()).error().code, base::Code::kAborted);
}

TEST_F(ChannelServiceTest, WhatIsWrittenBackAsItWasShownKeepsItsSecrets) {
  ASSERT_TRUE(put(webhook("https://a.example.org/x")));
  auto shown = webhook("<redacted>");
  shown.mutable_spec()->mutable_webhook()->set_secrets(0, "<redacted>");
  shown.mutable_spec()->add_rules()->set_recovery(true);
  ASSERT_TRUE(put(shown));
  const auto kept = view().channels().find("ops");
  EXPECT_EQ(kept->spec().webhook().url(), "https://a.example.org/x");
  EXPECT_EQ(kept->spec().webhook().secrets(0), kSecret);
  EXPECT_EQ(kept->spec().rules_size(), 1);
}

TEST_F(ChannelServiceTest, ADryRunAndARefusalChangeNothing) {
  auto dry = webhook("https://a.example.org/x");
  dry.set_dry_run(true);
  ASSERT_TRUE(put(dry));
  const auto refused = put(webhook("http://a.example.org/x"));
  EXPECT_EQ(refused.error().code, base::Code::kInvalidArgument);
  EXPECT_TRUE(view().channels().all().empty());
}

TEST_F(ChannelServiceTest, DeleteTakesItAway) {
  ASSERT_TRUE(put(webhook("https://a.example.org/x")));
  v1::DeleteChannelRequest request;
  request.set_name("ops");
  ASSERT_TRUE(call<google::protobuf::Empty>(table_, "ChannelService.DeleteChannel", std::deque{request}));
  EXPECT_TRUE(view().channels().all().empty());
  EXPECT_EQ(call<google::protobuf::Empty>(table_, "ChannelService.DeleteChannel", std::deque{request}).error().code,
            base::Code::kNotFound);
}

TEST_F(ChannelServiceTest, TestSaysWhatTheReceiverAnswered) {
  EXPECT_EQ(test("ops").error().code, base::Code::kNotFound);
  v1::PutChannelRequest slack;
  slack.set_name("ops");
  slack.mutable_spec()->mutable_slack()->set_url("https://slack.example.org/secret");
  ASSERT_TRUE(put(slack));
  auto sent = test("ops");
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(sent->message(), "slack.example.org took the test message");
  EXPECT_EQ(tested_, "https://slack.example.org/secret");
  test_result_ = base::fail(base::Code::kUnavailable, "it refuses connections");
  sent = test("ops");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(sent.error().message, "the test message did not arrive at slack.example.org: it refuses connections");
}

}  // namespace
}  // namespace orchion::control::services
