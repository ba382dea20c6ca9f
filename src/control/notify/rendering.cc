#include "control/notify/rendering.h"

#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <boost/json.hpp>

#include "control/notify/signature.h"
#include "core/base64.h"

namespace orchion::control::notify {

namespace {

// What Discord takes; Slack takes more.
constexpr std::size_t kChatCharactersMax = 2000;
constexpr const char* kJson = "Content-Type: application/json";

// At most `most` code points; what is cut ends with an ellipsis.
std::string shorten(const std::string& text, std::size_t most) {
  std::size_t points = 0;
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (++points == most) end = i;
  }
  return points <= most ? text : text.substr(0, end) + "…";
}

std::string plain_text(const v1::Notification& notification) {
  const auto& data = notification.data();
  return data.text().empty() ? data.title() : data.title() + "\n" + data.text();
}

std::string trimmed_url(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

HttpMessage webhook(const v1::WebhookTarget& target, const std::string& id, const v1::Notification& notification,
                    base::WallTime now) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  HttpMessage message{target.url(), {}, {}};
  (void)google::protobuf::util::MessageToJsonString(notification, &message.body, options);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  message.headers = {kJson, "webhook-id: " + id, fmt::format("webhook-timestamp: {}", seconds),
                     "webhook-signature: " + webhook_signature(target, id, now, message.body)};
  return message;
}

// 1 to 5. Source: https://docs.ntfy.sh/publish/#message-priority
int ntfy_priority(const v1::Notification& notification) {
  switch (notification.data().severity()) {
    case v1::Event::ERROR: return 5;
    case v1::Event::WARNING: return 4;
    default: return 3;
  }
}

HttpMessage ntfy(const v1::NtfyTarget& target, const v1::Notification& notification) {
  const boost::json::object body = {{"topic", target.topic()},
                                    {"title", notification.data().title()},
                                    {"message", notification.data().text()},
                                    {"priority", ntfy_priority(notification)}};
  HttpMessage message{target.url(), {kJson}, boost::json::serialize(body)};
  if (!target.token().empty()) message.headers.push_back("Authorization: Bearer " + target.token());
  return message;
}

// Nobody is pinged by what stands in a task's name. Source: https://discord.com/developers/docs/resources/webhook
HttpMessage discord(const v1::DiscordTarget& target, const v1::Notification& notification) {
  const boost::json::object body = {{"content", shorten(plain_text(notification), kChatCharactersMax)},
                                    {"allowed_mentions", {{"parse", boost::json::array()}}}};
  return {target.url(), {kJson}, boost::json::serialize(body)};
}

// Source: https://api.slack.com/reference/surfaces/formatting#escaping
HttpMessage slack(const v1::SlackTarget& target, const v1::Notification& notification) {
  std::string text;
  for (const char c : shorten(plain_text(notification), kChatCharactersMax)) {
    if (c == '&') {
      text += "&amp;";
    } else if (c == '<') {
      text += "&lt;";
    } else if (c == '>') {
      text += "&gt;";
    } else {
      text += c;
    }
  }
  return {target.url(), {kJson}, boost::json::serialize(boost::json::object{{"text", text}})};
}

// Source: https://gotify.net/api-docs
HttpMessage gotify(const v1::GotifyTarget& target, const v1::Notification& notification) {
  const boost::json::object body = {{"title", notification.data().title()},
                                    {"message", plain_text(notification)},
                                    {"priority", 2 * ntfy_priority(notification)}};
  return {
      trimmed_url(target.url()) + "/message", {kJson, "X-Gotify-Key: " + target.token()}, boost::json::serialize(body)};
}

// RFC 2047 in words of 42 bytes, cut between characters.
std::string encode_header(const std::string& text) {
  std::string encoded;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.size(), begin + 42);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    if (!encoded.empty()) encoded += "\r\n ";
    encoded += "=?utf-8?B?" + core::encode_base64(text.substr(begin, end - begin)) + "?=";
    begin = end;
  }
  return encoded;
}

MailMessage email(const v1::EmailTarget& target, const std::string& id, const v1::Notification& notification,
                  base::WallTime now) {
  MailMessage message{target.server(),
                      target.tls() == v1::EmailTarget::IMPLICIT,
                      target.user(),
                      target.password(),
                      target.from(),
                      {target.to().begin(), target.to().end()},
                      {}};
  const auto seconds = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::seconds>(now));
  const auto host = target.from().substr(target.from().find('@') + 1);
  message.text = fmt::format(
      "From: <{}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} +0000\r\nMessage-ID: <{}@{}>\r\n"
      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: base64\r\n\r\n",
      target.from(), fmt::join(target.to(), ">,\r\n <"), encode_header(notification.data().title()),
      fmt::gmtime(seconds), id, host);
  const auto body = core::encode_base64(plain_text(notification) + "\n");
  constexpr std::size_t kLine = 76;
  for (std::size_t i = 0; i < body.size(); i += kLine) message.text += body.substr(i, kLine) + "\r\n";
  return message;
}

}  // namespace

OutboundMessage render(const v1::ChannelSpec& channel, const std::string& id, const v1::Notification& notification,
                       base::WallTime now) {
  OutboundMessage message;
  message.allow_private = channel.allow_private();
  switch (channel.target_case()) {
    case v1::ChannelSpec::kWebhook: message.content = webhook(channel.webhook(), id, notification, now); break;
    case v1::ChannelSpec::kNtfy: message.content = ntfy(channel.ntfy(), notification); break;
    case v1::ChannelSpec::kDiscord: message.content = discord(channel.discord(), notification); break;
    case v1::ChannelSpec::kSlack: message.content = slack(channel.slack(), notification); break;
    case v1::ChannelSpec::kGotify: message.content = gotify(channel.gotify(), notification); break;
    case v1::ChannelSpec::kEmail: message.content = email(channel.email(), id, notification, now); break;
    case v1::ChannelSpec::TARGET_NOT_SET: break;
  }
  return message;
}

}  // namespace orchion::control::notify
