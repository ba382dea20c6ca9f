#include "control/services/watch_service.h"

#include <algorithm>

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace orchion::control::services {

namespace {

using WatchStream = core::TypedStream<v1::WatchRequest, v1::WatchEvent>;
using CommitPointer = std::shared_ptr<const store::ObjectStore::Commit>;

// A watcher this far behind is told to list again, so that it holds nobody's memory.
constexpr std::size_t kBehindMax = 2000;
constexpr auto kBookmarkInterval = std::chrono::seconds(15);

bool wanted(const v1::WatchRequest& request, const std::string& kind, const std::string& stack) {
  if (!request.stack().empty() && request.stack() != stack) return false;
  const auto& kinds = request.kinds();
  return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// Puts `object` where its kind belongs in the oneof. False for kinds that aren't watched (tokens).
bool set_object(v1::WatchEvent& event, const google::protobuf::Message& object) {
  const auto* oneof = v1::WatchEvent::descriptor()->FindOneofByName("object");
  for (int i = 0; i < oneof->field_count(); ++i) {
    const auto* field = oneof->field(i);
    if (field->message_type() != object.GetDescriptor()) continue;
    event.GetReflection()->MutableMessage(&event, field)->CopyFrom(object);
    return true;
  }
  return false;
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

base::Co<> send_commit(const store::ObjectStore& objects, v1::WatchRequest request, WatchStream stream,
                       CommitPointer commit) {
  const auto id = bookmark_text(objects, commit->revision);
  for (const auto& change : commit->changes) {
    if (!wanted(request, change.kind, change.name.stack)) continue;
    auto event = plain_event(id, change.after ? v1::WatchEvent::PUT : v1::WatchEvent::REMOVED);
    event.set_kind(change.kind);
    if (set_object(event, change.after ? *change.after : *change.before))
      CO_RETURN_IF_ERROR(co_await stream.send(std::move(event)));
  }
  co_return base::Result<>{};
}

template <class T>
void collect(const store::ObjectTable<T>& table, const v1::WatchRequest& request, const std::string& id,
             std::vector<v1::WatchEvent>& out) {
  const std::string kind(T::descriptor()->name());
  for (const auto& [name, object] : table.all()) {
    if (!wanted(request, kind, name.stack)) continue;
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
  collect(view.revisions(), request, id, out);
  collect(view.tasks(), request, id, out);
  collect(view.networks(), request, id, out);
  collect(view.volumes(), request, id, out);
  collect(view.nodes(), request, id, out);
  collect(view.images(), request, id, out);
  collect(view.events(), request, id, out);
  out.push_back(plain_event(id, v1::WatchEvent::SYNCED));
  return out;
}

struct Follower {
  explicit Follower(base::Executor executor) : commits(executor, kBehindMax) {}
  base::Channel<CommitPointer> commits;
  bool fell_behind = false;
};

base::Co<std::optional<CommitPointer>> next_or_idle(base::Clock& clock, std::shared_ptr<Follower> follower) {
  using boost::asio::experimental::awaitable_operators::operator||;
  auto first = co_await (follower->commits.receive() || clock.sleep(kBookmarkInterval));
  if (first.index() == 1) co_return std::optional<CommitPointer>();
  co_return std::get<0>(std::move(first));
}

}  // namespace

base::Co<> watch(ServiceContext context, v1::WatchRequest request, WatchStream stream) {
  // Subscribed before anything is sent, so that nothing falls between the present and what follows.
  auto follower = std::make_shared<Follower>(context.executor);
  auto subscription = context.objects.subscribe([follower](const auto& commit) {
    if (!follower->commits.try_send(commit)) follower->fell_behind = true;
  });
  if (request.since().empty()) {
    for (auto& event : present_objects(context.objects, request))
      CO_RETURN_IF_ERROR(co_await stream.send(std::move(event)));
  } else {
    CO_ASSIGN_OR_RETURN(const auto since, store::Bookmark::parse(request.since()));
    auto missed = context.objects.history(since);
    if (!missed)
      co_return co_await stream.send(plain_event(context.objects.bookmark().text(), v1::WatchEvent::LIST_AGAIN));
    for (auto& commit : *missed) CO_RETURN_IF_ERROR(co_await send_commit(context.objects, request, stream, commit));
  }
  while (true) {
    CO_ASSIGN_OR_RETURN(auto commit, co_await next_or_idle(context.clock, follower));
    if (follower->fell_behind)
      co_return co_await stream.send(plain_event(context.objects.bookmark().text(), v1::WatchEvent::LIST_AGAIN));
    if (commit) {
      CO_RETURN_IF_ERROR(co_await send_commit(context.objects, request, stream, *commit));
    } else {
      CO_RETURN_IF_ERROR(
          co_await stream.send(plain_event(context.objects.bookmark().text(), v1::WatchEvent::BOOKMARK)));
    }
  }
}

}  // namespace orchion::control::services
