#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/error.h"

namespace orchion::control::notify {

// A POST.
struct HttpMessage {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
};

struct MailMessage {
  std::string server;         // "mail.example.org:587"
  bool implicit_tls = false;  // else STARTTLS, without which nothing is said
  std::string user;           // empty: without logging in
  std::string password;
  std::string from;
  std::vector<std::string> to;
  std::string text;  // headers and body, lines end with CRLF
};

struct OutboundMessage {
  std::variant<HttpMessage, MailMessage> content;
  bool allow_private = false;  // see address_check.h
};

// The way to receivers.
class Outbound {
 public:
  virtual ~Outbound() = default;

  // Blocks for 20 s at the most. Any thread, several at once. Success: the receiver took it (for HTTP an answer of
  // 200 to 299). Errors are a few words for people, without any secret: kUnavailable: may go another time;
  // kPermissionDenied: its address may not be connected to; kNotFound: the receiver wants no more (410).
  virtual base::Result<> send(const OutboundMessage& message) = 0;

  // What is under way ends soon with kCancelled, what comes later at once. Any thread.
  virtual void stop() = 0;
};

}  // namespace orchion::control::notify
