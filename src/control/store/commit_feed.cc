#include "control/store/commit_feed.h"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

namespace orchion::control::store {
namespace {

// Holds a place in the feed, not a queue of its own: a slow watch costs nothing and falls out with the history.
class FeedWatch final : public Watch {
 public:
  FeedWatch(std::shared_ptr<CommitFeed> feed, Revision after, OlderCommits older)
      : feed_(std::move(feed)), position_(after), older_(std::move(older)) {}

  base::Co<Commit> next() override {
    for (;;) {
      if (feed_->closed()) co_return std::unexpected(*feed_->closed());
      if (page_.empty() && position_ < feed_->reaches_back_to()) CO_RETURN_IF_ERROR(co_await read_page());
      if (auto commit = take()) {
        position_ = commit->revision;
        co_return *commit;
      }
      if (!caught_up_) {
        caught_up_ = true;
        co_return Commit{position_, {}};
      }
      CO_RETURN_IF_ERROR(co_await feed_->wait());
    }
  }

 private:
  base::Co<> read_page() {
    if (!older_) co_return fail_compacted(position_);
    CO_ASSIGN_OR_RETURN(auto commits, co_await older_(position_));
    assert(!commits.empty() && commits.front()->revision > position_);
    page_.assign(commits.begin(), commits.end());
    co_return base::Result<>{};
  }

  CommitPointer take() {
    if (page_.empty()) return feed_->after(position_);
    auto commit = std::move(page_.front());
    page_.pop_front();
    return commit;
  }

  std::shared_ptr<CommitFeed> feed_;
  Revision position_;
  OlderCommits older_;
  std::deque<CommitPointer> page_;
  bool caught_up_ = false;
};

}  // namespace

std::size_t commit_bytes(const Commit& commit) {
  std::size_t bytes = 0;
  for (const auto& change : commit.changes) bytes += change.key.size() + (change.value ? change.value->size() : 0);
  return bytes;
}

std::size_t HistoryWindow::push(Revision revision, std::size_t bytes) {
  sizes_.push_back({revision, bytes});
  bytes_ += bytes;
  std::size_t dropped = 0;
  while (sizes_.size() > 1 && (sizes_.size() > limits_.commits || bytes_ > limits_.bytes)) {
    bytes_ -= sizes_.front().bytes;
    reaches_back_to_ = sizes_.front().revision;
    sizes_.pop_front();
    ++dropped;
  }
  return dropped;
}

void CommitFeed::push(CommitPointer commit) {
  assert(commit->revision > newest_);
  newest_ = commit->revision;
  const auto dropped = window_.push(commit->revision, commit_bytes(*commit));
  commits_.push_back(std::move(commit));
  commits_.erase(commits_.begin(), commits_.begin() + static_cast<std::ptrdiff_t>(dropped));
  pushed_.notify();
}

void CommitFeed::skip_to(Revision newest) {
  assert(newest > newest_);
  newest_ = newest;
  window_.begin_after(newest);
  commits_.clear();
  pushed_.notify();
}

void CommitFeed::close(base::Error error) {
  closed_ = std::move(error);
  pushed_.notify();
}

CommitPointer CommitFeed::after(Revision revision) const {
  const auto it = std::ranges::upper_bound(commits_, revision, {}, [](const CommitPointer& c) { return c->revision; });
  return it == commits_.end() ? nullptr : *it;
}

base::Result<std::unique_ptr<Watch>> watch_feed(std::shared_ptr<CommitFeed> feed, Revision after, OlderCommits older) {
  if (feed->closed()) return std::unexpected(*feed->closed());
  if (after > feed->newest()) {
    return base::fail(base::Code::kOutOfRange,
                      fmt::format("revision {} is newer than this store's {}; list again", after, feed->newest()));
  }
  if (!older && after < feed->reaches_back_to()) return fail_compacted(after);
  return std::make_unique<FeedWatch>(std::move(feed), after, std::move(older));
}

std::unexpected<base::Error> fail_compacted(Revision after) {
  return base::fail(base::Code::kOutOfRange,
                    fmt::format("the changes after revision {} are no longer kept; list again", after));
}

}  // namespace orchion::control::store
