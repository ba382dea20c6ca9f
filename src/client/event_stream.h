#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include <google/protobuf/message.h>

#include "wire/http.h"

namespace orchion::client {

// The events of one answer, in order. An event named "error" is the server's last word: its problem document
// comes out as the error.
class EventSource {
 public:
  explicit EventSource(std::unique_ptr<wire::BodyReader> body) : body_(std::move(body)) {}

  // nullopt: the server ended the stream in order.
  base::Co<std::optional<wire::ServerSentEvent>> next();

 private:
  std::unique_ptr<wire::BodyReader> body_;
  wire::EventParser parser_;
  std::deque<wire::ServerSentEvent> ready_;
};

base::Result<> parse_event(const wire::ServerSentEvent& event, google::protobuf::Message& message);

// The same as messages. Moves, doesn't copy; one reader.
template <class Message>
class EventStream {
 public:
  explicit EventStream(std::unique_ptr<EventSource> source) : source_(std::move(source)) {}

  base::Co<std::optional<Message>> next() {
    auto event = co_await source_->next();
    if (!event) co_return std::unexpected(event.error());
    if (!*event) co_return std::optional<Message>();
    std::optional<Message> message(std::in_place);
    if (auto parsed = parse_event(**event, *message); !parsed) co_return std::unexpected(parsed.error());
    co_return message;
  }

 private:
  std::unique_ptr<EventSource> source_;
};

}  // namespace orchion::client
