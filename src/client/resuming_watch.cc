#include "client/resuming_watch.h"

#include <utility>

#include <google/protobuf/util/message_differencer.h>

#include "base/timeout.h"

namespace orchion::client {

namespace {

const google::protobuf::Message* object_of(const v1::WatchEvent& event) {
  const auto* field =
      event.GetReflection()->GetOneofFieldDescriptor(event, v1::WatchEvent::descriptor()->FindOneofByName("object"));
  return field == nullptr ? nullptr : &event.GetReflection()->GetMessage(event, field);
}

// Kind and uid; empty where the event is about no object.
std::string key_of(const v1::WatchEvent& event) {
  const auto* object = object_of(event);
  if (object == nullptr) return "";
  const auto* meta = object->GetDescriptor()->FindFieldByName("meta");
  const auto& value = object->GetReflection()->GetMessage(*object, meta);
  return object->GetDescriptor()->name() + "/" + static_cast<const v1::Meta&>(value).uid();
}

bool same_object(const v1::WatchEvent& a, const v1::WatchEvent& b) {
  return google::protobuf::util::MessageDifferencer::Equals(*object_of(a), *object_of(b));
}

}  // namespace

ResumingWatch::ResumingWatch(std::shared_ptr<ApiClient> api, base::Clock& clock, v1::WatchRequest request,
                             WatchOptions options)
    : api_(std::move(api)),
      clock_(clock),
      request_(std::move(request)),
      options_(std::move(options)),
      patience_(clock, options_.patience) {}

base::Co<std::vector<v1::WatchEvent>> ResumingWatch::next() {
  while (ready_.empty() && (handed_out_ || listing_)) {
    auto event = co_await receive();
    if (event) {
      patience_.answered();
      take(std::move(*event));
      continue;
    }
    reader_.reset();
    if (!ever_connected_) co_return std::unexpected(event.error());
    CO_RETURN_IF_ERROR(co_await lost(std::move(event).error()));
  }
  handed_out_ = true;
  co_return std::exchange(ready_, {});
}

base::Co<v1::WatchEvent> ResumingWatch::receive() {
  if (!reader_) CO_RETURN_IF_ERROR(co_await connect());
  CO_ASSIGN_OR_RETURN(auto received, co_await base::with_timeout(clock_, options_.silence_max, "the server's next word",
                                                                 reader_->next()));
  if (!received) co_return base::fail(base::Code::kUnavailable, "the server ended the connection");
  v1::WatchEvent event;
  CO_RETURN_IF_ERROR(parse_json(received->data, event));
  co_return event;
}

base::Co<> ResumingWatch::connect() {
  listing_ = whole_.empty();
  listed_.clear();
  partial_.clear();
  auto request = std::make_shared<const v1::WatchRequest>(request_);
  CO_ASSIGN_OR_RETURN(reader_, co_await api_->open_events("orchion.v1.WatchService.Watch", std::move(request), whole_));
  ever_connected_ = true;
  co_return base::Result<>{};
}

base::Co<> ResumingWatch::lost(base::Error error) {
  const bool first = !patience_.is_waiting();
  auto waited = co_await patience_.wait_after(error);
  if (waited && first) options_.say("the connection to the server is lost, trying again: " + error.message);
  co_return waited;
}

void ResumingWatch::take(v1::WatchEvent event) {
  switch (event.type()) {
    case v1::WatchEvent::SYNCED: finish_list(); [[fallthrough]];
    case v1::WatchEvent::BOOKMARK:
      whole_ = event.id();
      partial_.clear();
      return;
    case v1::WatchEvent::LIST_AGAIN:
      whole_.clear();
      reader_.reset();
      return;
    default: break;
  }
  if (key_of(event).empty()) return;  // of a kind that a newer server has
  if (listing_) {
    listed_[key_of(event)] = std::move(event);
    return;
  }
  if (event.id() != partial_) {
    if (!partial_.empty()) whole_ = partial_;
    partial_ = event.id();
  }
  take_change(std::move(event));
}

// What is known already came before, in the first part of a commit.
void ResumingWatch::take_change(v1::WatchEvent event) {
  const auto key = key_of(event);
  const auto found = known_.find(key);
  if (event.type() == v1::WatchEvent::REMOVED) {
    if (found == known_.end()) return;
    known_.erase(found);
  } else {
    if (found != known_.end() && same_object(found->second, event)) return;
    known_[key] = event;
  }
  ready_.push_back(std::move(event));
}

// What was there before and isn't in the list went meanwhile.
void ResumingWatch::finish_list() {
  listing_ = false;
  for (auto& [key, event] : known_) {
    if (listed_.contains(key)) continue;
    ready_.push_back(event);
    ready_.back().set_type(v1::WatchEvent::REMOVED);
  }
  std::erase_if(known_, [this](const auto& entry) { return !listed_.contains(entry.first); });
  for (auto& [key, event] : std::exchange(listed_, {})) take_change(std::move(event));
}

}  // namespace orchion::client
