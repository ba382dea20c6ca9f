#include "client/watch.h"

namespace orchion::client {

namespace {

constexpr auto kMethod = "orchion.v1.WatchService.Watch";

}  // namespace

Watch::Watch(ApiClient& client, v1::WatchRequest request, WatchOptions options)
    : client_(client),
      request_(std::move(request)),
      options_(options),
      last_id_(request_.since()),
      random_(base::Random::from_system()),
      backoff_({std::chrono::milliseconds(100), std::chrono::seconds(3)}) {
  request_.clear_since();
}

base::Co<> Watch::connect() {
  const auto give_up = clock_.now() + options_.patience;
  while (!source_) {
    auto opened = co_await client_.open_events(kMethod, std::make_shared<v1::WatchRequest>(request_), last_id_);
    if (opened) {
      source_ = std::move(*opened);
      break;
    }
    if (opened.error().code != base::Code::kUnavailable || clock_.now() >= give_up)
      co_return std::unexpected(opened.error());
    CO_RETURN_IF_ERROR(co_await clock_.sleep(backoff_.next(random_)));
  }
  co_return base::Result<>{};
}

base::Co<v1::WatchEvent> Watch::next() {
  for (;;) {
    CO_RETURN_IF_ERROR(co_await connect());
    auto event = co_await source_->next();
    if (!event && event.error().code != base::Code::kUnavailable) co_return std::unexpected(event.error());
    if (!event || !*event) {
      source_.reset();
      CO_RETURN_IF_ERROR(co_await clock_.sleep(backoff_.next(random_)));
      continue;
    }
    v1::WatchEvent change;
    CO_RETURN_IF_ERROR(parse_event(**event, change));
    backoff_.reset();
    last_id_ = change.id().empty() ? (*event)->id : change.id();
    if (change.type() == v1::WatchEvent::LIST_AGAIN) {
      last_id_.clear();
      source_.reset();
    }
    co_return change;
  }
}

}  // namespace orchion::client
