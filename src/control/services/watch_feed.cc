#include "control/services/watch_feed.h"

#include <algorithm>

namespace orchion::control::services {

namespace {

// A watcher this far behind is told to list again, so that it holds nobody's memory.
constexpr std::size_t kBehindMax = 2000;

constexpr std::size_t kBatch = 64;

// So many are served as events come. Beyond, each may take some 20 µs of the loop in a round.
constexpr std::size_t kFew = 10;
constexpr auto kRestPerWatcher = std::chrono::microseconds(200);

}  // namespace

bool is_wanted(const v1::WatchRequest& request, const std::string& kind, const std::string& stack) {
  if (!request.stack().empty() && request.stack() != stack) return false;
  const auto& kinds = request.kinds();
  return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

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

WatchedCommit watched(const store::ObjectStore& objects, const store::ObjectStore::Commit& commit) {
  const auto id = store::Bookmark{objects.bookmark().epoch, commit.revision}.text();
  WatchedCommit all{commit.revision, {}};
  for (const auto& change : commit.changes) {
    auto event = std::make_unique<v1::WatchEvent>();
    event->set_id(id);
    event->set_type(change.after ? v1::WatchEvent::PUT : v1::WatchEvent::REMOVED);
    event->set_kind(change.kind);
    if (!set_object(*event, change.after ? *change.after : *change.before)) continue;
    all.changes.push_back(
        {change.kind, change.name.stack, std::make_shared<const core::SharedMessage>(std::move(event))});
  }
  return all;
}

void WatchFollower::put(const std::shared_ptr<const WatchedCommit>& commit) {
  passed_ = commit->revision;
  if (fell_behind_) return;
  const auto concerns = [this](const auto& change) { return is_wanted(request_, change.kind, change.stack); };
  if (std::ranges::none_of(commit->changes, concerns)) return;
  if (commits_.size() < kBehindMax) {
    commits_.push_back(commit);
  } else {
    fell_behind_ = true;
    commits_.clear();
  }
  wake();
}

std::vector<core::SharedMessagePtr> WatchFollower::take() {
  std::vector<core::SharedMessagePtr> batch;
  for (; !commits_.empty() && batch.size() < kBatch; commits_.pop_front()) {
    for (const auto& change : commits_.front()->changes)
      if (is_wanted(request_, change.kind, change.stack)) batch.push_back(change.event);
  }
  return batch;
}

WatchFeed::WatchFeed(ServiceContext context)
    : context_(context), subscription_(context_.objects.subscribe([this](const auto& commit) { tell(*commit); })) {}

std::shared_ptr<WatchFollower> WatchFeed::follow(v1::WatchRequest request) {
  auto follower =
      std::make_shared<WatchFollower>(context_.executor, std::move(request), context_.objects.view().revision());
  followers_.push_back(follower);
  return follower;
}

base::Duration WatchFeed::rest() const {
  return followers_.size() <= kFew ? base::Duration(0) : kRestPerWatcher * followers_.size();
}

void WatchFeed::tell(const store::ObjectStore::Commit& commit) {
  std::erase_if(followers_, [](const auto& follower) { return follower.expired(); });
  if (followers_.empty()) return;
  const auto all = std::make_shared<const WatchedCommit>(watched(context_.objects, commit));
  for (const auto& weak : followers_)
    if (const auto follower = weak.lock()) follower->put(all);
}

}  // namespace orchion::control::services
