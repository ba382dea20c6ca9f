#include "control/services/watch_service.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

namespace orchion::control::services {

namespace {

using WatchStream = std::shared_ptr<core::MessageStream>;

constexpr auto kBookmarkInterval = std::chrono::seconds(15);

// The kinds that can be watched are those that an event can carry.
base::Result<> check_kinds(const v1::WatchRequest& request) {
  const auto* oneof = v1::WatchEvent::descriptor()->FindOneofByName("object");
  std::vector<std::string> known;
  for (int i = 0; i < oneof->field_count(); ++i) known.push_back(oneof->field(i)->message_type()->name());
  for (int i = 0; i < request.kinds_size(); ++i) {
    if (std::ranges::find(known, request.kinds(i)) != known.end()) continue;
    const auto wanted = fmt::format("one of {} is wanted", fmt::join(known, ", "));
    return std::unexpected(base::Error{base::Code::kInvalidArgument,
                                       fmt::format("there is no kind '{}' to watch: {}", request.kinds(i), wanted),
                                       {{fmt::format("/kinds/{}", i), wanted}}});
  }
  return {};
}

// Over HTTP, Last-Event-ID is this field too.
std::unexpected<base::Error> wrong_since(const base::Error& error) {
  return std::unexpected(base::Error{error.code, error.message, {{"/since", error.message}}});
}

std::string bookmark_text(const store::ObjectStore& objects, store::Revision revision) {
  return store::Bookmark{objects.bookmark().epoch, revision}.text();
}

v1::WatchEvent plain_event(std::string id, v1::WatchEvent::Type type) {
  v1::WatchEvent event;
  event.set_id(std::move(id));
  event.set_type(type);
  return event;
}

template <class T>
void collect(const store::ObjectTable<T>& table, const v1::WatchRequest& request, const std::string& id,
             std::vector<v1::WatchEvent>& out) {
  const std::string kind(T::descriptor()->name());
  for (const auto& [name, object] : table.all()) {
    if (!is_wanted(request, kind, name.stack)) continue;
    auto event = plain_event(id, v1::WatchEvent::PUT);
    event.set_kind(kind);
    set_object(event, *object);
    out.push_back(std::move(event));
  }
}

std::vector<v1::WatchEvent> present_objects(const store::ObjectStore& objects, const v1::WatchRequest& request) {
  const auto& view = objects.view();
  const auto id = bookmark_text(objects, view.revision());
  std::vector<v1::WatchEvent> out;
  collect(view.stacks(), request, id, out);
  collect(view.services(), request, id, out);
  collect(view.jobs(), request, id, out);
  collect(view.runs(), request, id, out);
  collect(view.revisions(), request, id, out);
  collect(view.tasks(), request, id, out);
  collect(view.networks(), request, id, out);
  collect(view.volumes(), request, id, out);
  collect(view.nodes(), request, id, out);
  collect(view.images(), request, id, out);
  collect(view.events(), request, id, out);
  collect(view.channels(), request, id, out);
  collect(view.network_policies(), request, id, out);
  out.push_back(plain_event(id, v1::WatchEvent::SYNCED));
  return out;
}

base::Co<> send(const WatchStream& stream, v1::WatchEvent event) {
  return stream->send(std::make_unique<v1::WatchEvent>(std::move(event)));
}

// What was missed since the reader saw its last event.
base::Co<> send_missed(const store::ObjectStore& objects, v1::WatchRequest request, WatchStream stream,
                       std::vector<std::shared_ptr<const store::ObjectStore::Commit>> commits) {
  for (const auto& commit : commits) {
    std::vector<core::SharedMessagePtr> events;
    for (auto& change : watched(objects, *commit).changes)
      if (is_wanted(request, change.kind, change.stack)) events.push_back(std::move(change.event));
    CO_RETURN_IF_ERROR(co_await core::send_shared(stream, std::move(events)));
  }
  co_return base::Result<>{};
}

// What the two loops of one watcher say to each other.
struct Silence {
  base::Time since;
  bool is_long = false;  // a bookmark is due
};

base::Co<> notice_silence(base::Clock& clock, std::shared_ptr<WatchFollower> follower,
                          std::shared_ptr<Silence> silence) {
  while (true) {
    CO_RETURN_IF_ERROR(co_await clock.sleep_until(silence->since + kBookmarkInterval));
    if (clock.now() < silence->since + kBookmarkInterval) continue;
    silence->since = clock.now();
    silence->is_long = true;
    follower->wake();
  }
}

base::Co<> send_changes(ServiceContext context, std::shared_ptr<WatchFeed> feed,
                        std::shared_ptr<WatchFollower> follower, std::shared_ptr<Silence> silence, WatchStream stream) {
  while (true) {
    while (follower->is_empty() && !follower->fell_behind() && !silence->is_long)
      CO_RETURN_IF_ERROR(co_await follower->wait());
    if (follower->fell_behind())
      co_return co_await send(stream, plain_event(context.objects.bookmark().text(), v1::WatchEvent::LIST_AGAIN));
    silence->is_long = false;
    if (follower->is_empty()) {
      auto bookmark = plain_event(bookmark_text(context.objects, follower->passed()), v1::WatchEvent::BOOKMARK);
      CO_RETURN_IF_ERROR(co_await send(stream, std::move(bookmark)));
    } else {
      CO_RETURN_IF_ERROR(co_await core::send_shared(stream, follower->take()));
    }
    silence->since = context.clock.now();
    if (const auto rest = feed->rest(); rest > base::Duration(0))
      CO_RETURN_IF_ERROR(co_await context.clock.sleep(rest));
  }
}

}  // namespace

base::Co<> watch(ServiceContext context, std::shared_ptr<WatchFeed> feed, v1::WatchRequest request,
                 WatchStream stream) {
  CO_RETURN_IF_ERROR(check_kinds(request));
  // Subscribed before anything is sent, so that nothing falls between the present and what follows.
  auto follower = feed->follow(request);
  if (request.since().empty()) {
    for (auto& event : present_objects(context.objects, request))
      CO_RETURN_IF_ERROR(co_await send(stream, std::move(event)));
  } else {
    const auto since = store::Bookmark::parse(request.since());
    if (!since) co_return wrong_since(since.error());
    auto missed = context.objects.history(*since);
    if (!missed)
      co_return co_await send(stream, plain_event(context.objects.bookmark().text(), v1::WatchEvent::LIST_AGAIN));
    CO_RETURN_IF_ERROR(co_await send_missed(context.objects, request, stream, std::move(*missed)));
  }
  using boost::asio::experimental::awaitable_operators::operator||;
  auto silence = std::make_shared<Silence>(Silence{context.clock.now()});
  auto ended = co_await (send_changes(context, feed, follower, silence, stream) ||
                         notice_silence(context.clock, follower, silence));
  co_return std::visit([](const auto& result) -> base::Result<> { return result; }, ended);
}

}  // namespace orchion::control::services
