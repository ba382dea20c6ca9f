#include "control/services/watch_service.h"

#include <algorithm>
#include <deque>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"

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

// Whether something of it was wanted.
base::Co<bool> send_commit(const store::ObjectStore& objects, v1::WatchRequest request, WatchStream stream,
                           CommitPointer commit) {
  const auto id = bookmark_text(objects, commit->revision);
  bool sent = false;
  for (const auto& change : commit->changes) {
    if (!wanted(request, change.kind, change.name.stack)) continue;
    auto event = plain_event(id, change.after ? v1::WatchEvent::PUT : v1::WatchEvent::REMOVED);
    event.set_kind(change.kind);
    if (!set_object(event, change.after ? *change.after : *change.before)) continue;
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(event)));
    sent = true;
  }
  co_return sent;
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

// The commits that a watcher hasn't had. It isn't woken for those of which it wants nothing.
struct Follower {
  Follower(base::Executor executor, const v1::WatchRequest& wants, store::Revision now)
      : request(wants), passed(now), arrived(executor) {}
  const v1::WatchRequest& request;
  std::deque<CommitPointer> commits;
  store::Revision passed;  // while `commits` is empty: nothing up to here is missing
  bool fell_behind = false;
  base::Notifier arrived;

  void put(const CommitPointer& commit) {
    passed = commit->revision;
    const auto concerns = [this](const auto& change) { return wanted(request, change.kind, change.name.stack); };
    if (!std::ranges::any_of(commit->changes, concerns)) return;
    if (commits.size() < kBehindMax) {
      commits.push_back(commit);
    } else {
      fell_behind = true;
    }
    arrived.notify();
  }
};

// nullptr: none came until then. Nothing is taken off in the race with the clock, so that nothing can get lost in it.
base::Co<CommitPointer> next_or_idle(base::Clock& clock, std::shared_ptr<Follower> follower, base::Time until) {
  using boost::asio::experimental::awaitable_operators::operator||;
  if (follower->commits.empty()) co_await (follower->arrived.wait() || clock.sleep_until(until));
  if (follower->commits.empty()) co_return CommitPointer();
  auto commit = std::move(follower->commits.front());
  follower->commits.pop_front();
  co_return commit;
}

}  // namespace

base::Co<> watch(ServiceContext context, v1::WatchRequest request, WatchStream stream) {
  CO_RETURN_IF_ERROR(check_kinds(request));
  // Subscribed before anything is sent, so that nothing falls between the present and what follows.
  auto follower = std::make_shared<Follower>(context.executor, request, context.objects.view().revision());
  auto subscription = context.objects.subscribe([follower](const auto& commit) { follower->put(commit); });
  if (request.since().empty()) {
    for (auto& event : present_objects(context.objects, request))
      CO_RETURN_IF_ERROR(co_await stream.send(std::move(event)));
  } else {
    const auto since = store::Bookmark::parse(request.since());
    if (!since) co_return wrong_since(since.error());
    auto missed = context.objects.history(*since);
    if (!missed)
      co_return co_await stream.send(plain_event(context.objects.bookmark().text(), v1::WatchEvent::LIST_AGAIN));
    for (auto& commit : *missed) CO_RETURN_IF_ERROR(co_await send_commit(context.objects, request, stream, commit));
  }
  auto silent_since = context.clock.now();
  while (true) {
    CO_ASSIGN_OR_RETURN(auto commit, co_await next_or_idle(context.clock, follower, silent_since + kBookmarkInterval));
    if (follower->fell_behind)
      co_return co_await stream.send(plain_event(context.objects.bookmark().text(), v1::WatchEvent::LIST_AGAIN));
    bool sent = !commit;
    if (commit) {
      CO_ASSIGN_OR_RETURN(sent, co_await send_commit(context.objects, request, stream, commit));
    } else {
      auto bookmark = plain_event(bookmark_text(context.objects, follower->passed), v1::WatchEvent::BOOKMARK);
      CO_RETURN_IF_ERROR(co_await stream.send(std::move(bookmark)));
    }
    if (sent) silent_since = context.clock.now();
  }
}

}  // namespace orchion::control::services
