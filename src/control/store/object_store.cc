#include "control/store/object_store.h"

#include <algorithm>
#include <deque>
#include <map>

#include "base/task_group.h"
#include "control/store/commit_feed.h"

namespace orchion::control::store {
namespace {

constexpr HistoryLimits kHistory{.commits = 10'000, .bytes = 16u << 20};

// Calls `leave` when the last copy of the handle goes.
struct Subscription {
  std::function<void()> leave;
  ~Subscription() { leave(); }
};

}  // namespace

struct ObjectStore::State {
  using ObjectCommit = std::shared_ptr<const ObjectStore::Commit>;

  State(const base::Executor& executor, Store& the_store) : store(the_store), tasks(executor), applied(executor) {}

  base::Co<> begin();
  base::Co<> end();
  base::Co<> follow(std::unique_ptr<Watch> watch);
  base::Co<> follow_until_behind(Watch& watch);
  base::Co<std::unique_ptr<Watch>> reload();
  void publish(ObjectCommit commit, std::size_t bytes);

  Store& store;
  base::TaskGroup tasks;
  View view;
  base::Notifier applied;
  std::optional<base::Error> broken;  // why the view no longer follows

  HistoryWindow window{kHistory, 0};
  std::deque<ObjectCommit> history;

  std::uint64_t listeners_added = 0;
  std::map<std::uint64_t, Listener> listeners;
};

base::Co<> ObjectStore::State::begin() {
  CO_ASSIGN_OR_RETURN(const auto snapshot, co_await store.list(""));
  CO_RETURN_IF_ERROR(view.load(snapshot));
  window = HistoryWindow(kHistory, snapshot.revision);
  CO_ASSIGN_OR_RETURN(auto watch, co_await store.watch(snapshot.revision));
  tasks.spawn("the view of the store", follow(std::move(watch)));
  co_return base::Result<>{};
}

base::Co<> ObjectStore::State::end() {
  broken = base::Error{base::Code::kUnavailable, "the server is shutting down; try again when it is back", {}};
  applied.notify();
  co_return co_await tasks.shutdown();
}

base::Co<> ObjectStore::State::follow(std::unique_ptr<Watch> watch) {
  for (;;) {
    auto ended = co_await follow_until_behind(*watch);
    if (ended.error().code == base::Code::kOutOfRange) {
      auto again = co_await reload();
      if (again) {
        watch = std::move(*again);
        continue;
      }
      ended = std::unexpected(again.error());
    }
    if (!broken) broken = ended.error();
    applied.notify();
    co_return ended;
  }
}

// Returns with an error only.
base::Co<> ObjectStore::State::follow_until_behind(Watch& watch) {
  for (;;) {
    CO_ASSIGN_OR_RETURN(const auto commit, co_await watch.next());
    if (commit.revision <= view.revision()) continue;
    CO_ASSIGN_OR_RETURN(auto changes, view.apply(commit));
    publish(std::make_shared<const ObjectStore::Commit>(commit.revision, std::move(changes)), commit_bytes(commit));
  }
}

base::Co<std::unique_ptr<Watch>> ObjectStore::State::reload() {
  CO_ASSIGN_OR_RETURN(const auto snapshot, co_await store.list(""));
  View newer;
  CO_RETURN_IF_ERROR(newer.load(snapshot));
  auto changes = view.replace(std::move(newer));
  // What lies between is unknown: nobody can resume from before.
  history.clear();
  window = HistoryWindow(kHistory, snapshot.revision);
  publish(std::make_shared<const ObjectStore::Commit>(snapshot.revision, std::move(changes)), 0);
  co_return co_await store.watch(snapshot.revision);
}

void ObjectStore::State::publish(ObjectCommit commit, std::size_t bytes) {
  if (commit->revision > window.reaches_back_to()) {
    const auto dropped = window.push(commit->revision, bytes);
    history.push_back(commit);
    history.erase(history.begin(), history.begin() + static_cast<std::ptrdiff_t>(dropped));
  }
  // A listener may add or remove listeners, itself included.
  std::vector<std::uint64_t> ids;
  ids.reserve(listeners.size());
  for (const auto& [id, listener] : listeners) ids.push_back(id);
  for (const auto id : ids) {
    const auto found = listeners.find(id);
    if (found == listeners.end()) continue;
    const Listener listener = found->second;
    listener(commit);
  }
  applied.notify();
}

ObjectStore::ObjectStore(base::Executor executor, Store& store) : state_(std::make_shared<State>(executor, store)) {}
ObjectStore::~ObjectStore() = default;

base::Co<> ObjectStore::start() {
  return state_->begin();
}

base::Co<> ObjectStore::shutdown() {
  return state_->end();
}

const View& ObjectStore::view() const {
  return state_->view;
}

base::Co<std::optional<Entry>> ObjectStore::get(std::string key) const {
  return state_->store.get(std::move(key));
}

base::Co<Snapshot> ObjectStore::list(std::string prefix) const {
  return state_->store.list(std::move(prefix));
}

base::Co<Revision> ObjectStore::commit(Transaction transaction) {
  auto state = state_;
  CO_ASSIGN_OR_RETURN(const Revision revision, co_await state->store.commit(std::move(transaction)));
  while (state->view.revision() < revision) {
    if (state->broken) co_return std::unexpected(*state->broken);
    CO_RETURN_IF_ERROR(co_await state->applied.wait());
  }
  co_return revision;
}

std::shared_ptr<void> ObjectStore::subscribe(Listener listener) {
  const auto id = ++state_->listeners_added;
  state_->listeners.emplace(id, std::move(listener));
  return std::make_shared<Subscription>([weak = std::weak_ptr<State>(state_), id] {
    if (const auto state = weak.lock()) state->listeners.erase(id);
  });
}

std::optional<std::vector<std::shared_ptr<const ObjectStore::Commit>>> ObjectStore::history(
    const Bookmark& since) const {
  const auto& state = *state_;
  if (since.epoch != state.store.epoch() || since.revision > state.view.revision()) return std::nullopt;
  if (since.revision < state.window.reaches_back_to()) return std::nullopt;
  const auto first =
      std::ranges::upper_bound(state.history, since.revision, {}, [](const auto& commit) { return commit->revision; });
  return std::vector(first, state.history.end());
}

Bookmark ObjectStore::bookmark() const {
  return {state_->store.epoch(), state_->view.revision()};
}

}  // namespace orchion::control::store
