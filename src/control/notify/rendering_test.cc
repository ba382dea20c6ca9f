#include "control/notify/rendering.h"

#include <gmock/gmock.h>
#include <boost/json.hpp>

#include "control/notify/planner.h"
#include "control/notify/signature.h"
#include "core/base64.h"

namespace orchion::control::notify {
namespace {

using testing::Contains;
using testing::HasSubstr;

const base::WallTime kNow{std::chrono::seconds(1614265330)};

v1::Notification sample(const std::string& text = "it <is> & @everyone") {
  auto notification = test_notification("ops", kNow);
  notification.mutable_data()->set_text(text);
  return notification;
}

boost::json::value json(const std::string& text) {
  return boost::json::parse(text);
}

// The example that the specification's own libraries are tested with.
TEST(Signature, AsThePublishedExample) {
  v1::WebhookTarget target;
  target.add_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  EXPECT_EQ(webhook_signature(target, "msg_p5jXN8AQM9LWM0D4loKWxJek", kNow, R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Signature, ByEachSecret) {
  v1::WebhookTarget target;
  target.add_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const auto one = webhook_signature(target, "id", kNow, "body");
  target.add_secrets("whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=");
  EXPECT_THAT(webhook_signature(target, "id", kNow, "body"), testing::StartsWith(one + " v1,"));
}

TEST(Rendering, WebhookHasTheStandardsHeaders) {
  v1::ChannelSpec channel;
  channel.mutable_webhook()->set_url("https://hooks.example.org/x");
  channel.mutable_webhook()->add_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const auto message = render(channel, "msg_1", sample(), kNow);
  EXPECT_FALSE(message.allow_private);
  const auto& post = std::get<HttpMessage>(message.content);
  EXPECT_EQ(post.url, "https://hooks.example.org/x");
  EXPECT_THAT(post.headers, Contains("webhook-id: msg_1"));
  EXPECT_THAT(post.headers, Contains("webhook-timestamp: 1614265330"));
  EXPECT_THAT(post.headers,
              Contains("webhook-signature: " + webhook_signature(channel.webhook(), "msg_1", kNow, post.body)));
  const auto body = json(post.body);
  EXPECT_EQ(body.at("type"), "test");
  EXPECT_EQ(body.at("timestamp"), "2021-02-25T15:02:10Z");
  EXPECT_EQ(body.at("data").at("channel"), "ops");
}

TEST(Rendering, Chats) {
  v1::ChannelSpec channel;
  channel.mutable_discord()->set_url("https://discord.example.org/w");
  const auto discord = std::get<HttpMessage>(render(channel, "m", sample(std::string(5000, 'x')), kNow).content);
  EXPECT_EQ(discord.url, "https://discord.example.org/w");
  EXPECT_TRUE(json(discord.body).at("allowed_mentions").at("parse").as_array().empty()) << "nobody is pinged";
  EXPECT_LE(json(discord.body).at("content").as_string().size(), 2003u);
  channel.mutable_slack()->set_url("https://slack.example.org/w");
  const auto slack = std::get<HttpMessage>(render(channel, "m", sample(), kNow).content);
  EXPECT_THAT(std::string(json(slack.body).at("text").as_string()), HasSubstr("it &lt;is&gt; &amp; @everyone"));
  channel.mutable_ntfy()->set_url("https://ntfy.example.org");
  channel.mutable_ntfy()->set_topic("lab");
  auto ntfy = std::get<HttpMessage>(render(channel, "m", sample(), kNow).content);
  EXPECT_EQ(json(ntfy.body).at("topic"), "lab");
  EXPECT_EQ(json(ntfy.body).at("priority"), 3);
  EXPECT_EQ(ntfy.headers.size(), 1u);
  channel.mutable_ntfy()->set_token("tk");
  ntfy = std::get<HttpMessage>(render(channel, "m", sample(), kNow).content);
  EXPECT_THAT(ntfy.headers, Contains("Authorization: Bearer tk"));
  channel.mutable_gotify()->set_url("https://gotify.example.org/");
  channel.mutable_gotify()->set_token("app");
  const auto gotify = std::get<HttpMessage>(render(channel, "m", sample(), kNow).content);
  EXPECT_EQ(gotify.url, "https://gotify.example.org/message");
  EXPECT_THAT(gotify.headers, Contains("X-Gotify-Key: app"));
}

TEST(Rendering, MailIsOneOfTheStandards) {
  v1::ChannelSpec channel;
  auto& email = *channel.mutable_email();
  email.set_server("mail.example.org:465");
  email.set_tls(v1::EmailTarget::IMPLICIT);
  email.set_from("lab@example.org");
  email.add_to("a@example.org");
  email.add_to("b@example.org");
  auto notification = sample("grüße");
  notification.mutable_data()->set_title("line\r\nBcc: evil@example.org");
  const auto message = render(channel, "msg_1", notification, kNow);
  const auto& mail = std::get<MailMessage>(message.content);
  EXPECT_TRUE(mail.implicit_tls);
  EXPECT_EQ(mail.to, (std::vector<std::string>{"a@example.org", "b@example.org"}));
  EXPECT_THAT(mail.text, HasSubstr("Date: Thu, 25 Feb 2021 15:02:10 +0000\r\n"));
  EXPECT_THAT(mail.text, HasSubstr("Message-ID: <msg_1@example.org>\r\n"));
  EXPECT_THAT(mail.text, HasSubstr("To: <a@example.org>,\r\n <b@example.org>\r\n"));
  EXPECT_THAT(mail.text, testing::Not(HasSubstr("evil"))) << "a title is no header";
  EXPECT_THAT(mail.text, HasSubstr(core::encode_base64("line\r\nBcc: evil@example.org\ngrüße\n").substr(0, 40)));
}

}  // namespace
}  // namespace orchion::control::notify
