#include "client/event_stream.h"

#include "client/problem.h"
#include "client/rest_route.h"

namespace orchion::client {

namespace {

constexpr int kStatusOfBrokenStream = 500;  // a problem in a stream has no HTTP status of its own

}  // namespace

base::Co<std::optional<wire::ServerSentEvent>> EventSource::next() {
  while (ready_.empty()) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await body_->read());
    if (!piece) co_return std::optional<wire::ServerSentEvent>();
    for (auto& event : parser_.feed(*piece)) ready_.push_back(std::move(event));
  }
  auto event = std::move(ready_.front());
  ready_.pop_front();
  if (event.event == "error") co_return std::unexpected(error_of_answer(kStatusOfBrokenStream, event.data));
  co_return std::optional(std::move(event));
}

base::Result<> parse_event(const wire::ServerSentEvent& event, google::protobuf::Message& message) {
  return from_json(event.data, message);
}

}  // namespace orchion::client
