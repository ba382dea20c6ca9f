#include "core/channels.h"

#include <gmock/gmock.h>

#include "core/base64.h"

namespace orchion::core {
namespace {

constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

v1::ChannelSpec webhook(const std::string& url) {
  v1::ChannelSpec spec;
  spec.mutable_webhook()->set_url(url);
  spec.mutable_webhook()->add_secrets(kSecret);
  return spec;
}

std::string first_pointer(const base::Result<>& result) {
  return result ? "" : result.error().fields.at(0).pointer;
}

TEST(Base64, GoesBothWays) {
  EXPECT_EQ(encode_base64(""), "");
  EXPECT_EQ(encode_base64("f"), "Zg==");
  EXPECT_EQ(encode_base64("fo"), "Zm8=");
  EXPECT_EQ(encode_base64("foobar"), "Zm9vYmFy");
  for (const std::string& bytes :
       {std::string(), std::string("\0\xff\x80", 3), std::string("abcd"), std::string("abcde")})
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
  for (const auto* bad : {"Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 8", "Zm8-"})
    EXPECT_EQ(decode_base64(bad), std::nullopt) << bad;
}

TEST(Pattern, StarAndQuestionMark) {
  EXPECT_TRUE(fits_pattern("Task*", "TaskRestarted"));
  EXPECT_TRUE(fits_pattern("*", ""));
  EXPECT_TRUE(fits_pattern("*Lost", "NodeLost"));
  EXPECT_TRUE(fits_pattern("N?deL*t", "NodeLost"));
  EXPECT_TRUE(fits_pattern("a*b*c", "aXbXbXc"));
  EXPECT_FALSE(fits_pattern("Task", "TaskRestarted"));
  EXPECT_FALSE(fits_pattern("task*", "TaskRestarted"));
  EXPECT_FALSE(fits_pattern("?", ""));
  const std::string evil = std::string(20, '*') + "b";
  EXPECT_FALSE(fits_pattern("*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
  EXPECT_TRUE(fits_pattern(evil, "b"));
}

TEST(Channel, ShowsKindAndHost) {
  EXPECT_EQ(channel_kind({}), "");
  EXPECT_EQ(channel_kind(webhook("https://a")), "webhook");
  EXPECT_EQ(channel_host(webhook("https://hooks.example.org/a/secret?token=b")), "hooks.example.org");
  EXPECT_EQ(channel_host(webhook("http://[::1]:8080/x")), "[::1]:8080");
  EXPECT_EQ(channel_host(webhook("nonsense")), "");
  v1::ChannelSpec email;
  email.mutable_email()->set_server("mail.example.org:587");
  EXPECT_EQ(channel_host(email), "mail.example.org:587");
}

TEST(Channel, RefusesWhatIsNoAddress) {
  EXPECT_TRUE(validate_channel("ops", webhook("https://hooks.example.org/x")).has_value());
  for (const auto* url : {"", "hooks.example.org", "ftp://a/b", "file:///etc/passwd", "https://", "https:///x",
                          "https://u:p@example.org/", "https://example.org:0/", "https://example.org:99999/",
                          "https://exa mple.org/", "https://example.org/\r\nX: y", "https://example.org\\@127.0.0.1/"})
    EXPECT_EQ(first_pointer(validate_channel("ops", webhook(url))), "/spec/webhook/url") << url;
  EXPECT_EQ(first_pointer(validate_channel("ops", {})), "/spec");
  EXPECT_EQ(first_pointer(validate_channel("no name", webhook("https://a/"))), "/name");
}

TEST(Channel, PlainHttpIsForWhatIsNear) {
  auto spec = webhook("http://127.0.0.1:8080/");
  EXPECT_EQ(first_pointer(validate_channel("ops", spec)), "/spec/webhook/url");
  spec.set_allow_private(true);
  EXPECT_TRUE(validate_channel("ops", spec).has_value());
}

TEST(Channel, WantsOneOrTwoSecrets) {
  auto spec = webhook("https://a/");
  spec.mutable_webhook()->add_secrets(kSecret);
  EXPECT_TRUE(validate_channel("ops", spec).has_value());
  spec.mutable_webhook()->add_secrets(kSecret);
  EXPECT_EQ(first_pointer(validate_channel("ops", spec)), "/spec/webhook/secrets");
  for (const auto* bad : {"", "hunter2", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "<redacted>"}) {
    spec.mutable_webhook()->clear_secrets();
    spec.mutable_webhook()->add_secrets(bad);
    const auto refused = validate_channel("ops", spec);
    EXPECT_EQ(first_pointer(refused), "/spec/webhook/secrets/0");
    EXPECT_THAT(refused.error().message, testing::Not(testing::HasSubstr("hunter2")));
  }
}

TEST(Channel, MailAddressesHoldNothingThatSmtpWouldRead) {
  v1::ChannelSpec spec;
  auto& email = *spec.mutable_email();
  email.set_server("mail.example.org:587");
  email.set_from("orchion@example.org");
  email.add_to("ops@example.org");
  EXPECT_TRUE(validate_channel("ops", spec).has_value());
  for (const auto* bad :
       {"", "ops", "@example.org", "ops@", "a@b@c", "ops@example.org\r\nBcc: x@y", "a b@c", "<a@b>"}) {
    email.set_to(0, bad);
    EXPECT_EQ(first_pointer(validate_channel("ops", spec)), "/spec/email/to/0") << bad;
  }
  email.set_to(0, "ops@example.org");
  email.set_user("me");
  EXPECT_EQ(first_pointer(validate_channel("ops", spec)), "/spec/email/user");
}

TEST(Channel, WhatReadsRedactedStaysAsItIs) {
  const auto present = webhook("https://hooks.example.org/secret");
  auto spec = webhook("<redacted>");
  spec.mutable_webhook()->set_secrets(0, "<redacted>");
  spec.mutable_webhook()->add_secrets("<redacted>");
  keep_secrets(present, spec);
  EXPECT_EQ(spec.webhook().url(), "https://hooks.example.org/secret");
  EXPECT_EQ(spec.webhook().secrets(0), kSecret);
  EXPECT_EQ(first_pointer(validate_channel("ops", spec)), "/spec/webhook/secrets/1");
}

TEST(Channel, RulesAreBounded) {
  auto spec = webhook("https://a/");
  auto& rule = *spec.add_rules();
  rule.add_reasons("");
  rule.mutable_cool_down()->set_seconds(-1);
  rule.mutable_group_for()->set_seconds(10'000'000);
  const auto refused = validate_channel("ops", spec);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fields.size(), 3u);
}

}  // namespace
}  // namespace orchion::core
