#pragma once

// The newest commits in memory, and the watches that read them. What all stores have in common.

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/notifier.h"
#include "control/store/store.h"

namespace orchion::control::store {

// How much history is kept; the newest commit always is.
struct HistoryLimits {
  std::size_t commits = 10'000;
  std::size_t bytes = 16u << 20;  // of keys and values

  bool operator==(const HistoryLimits&) const = default;
};

using CommitPointer = std::shared_ptr<const Commit>;

std::size_t commit_bytes(const Commit& commit);

// Which of a row of commits, pushed in revision order, are within the limits.
class HistoryWindow {
 public:
  // `before` is the revision before the first that will be pushed.
  HistoryWindow(HistoryLimits limits, Revision before) : limits_(limits), reaches_back_to_(before) {}

  // Returns how many of the oldest fall out.
  std::size_t push(Revision revision, std::size_t bytes);

  // Forgets all; the next that is pushed comes after `before`, with a gap.
  void begin_after(Revision before) { *this = HistoryWindow(limits_, before); }

  // The smallest revision after which every commit is kept.
  Revision reaches_back_to() const { return reaches_back_to_; }

 private:
  struct Size {
    Revision revision;
    std::size_t bytes;
  };
  HistoryLimits limits_;
  std::deque<Size> sizes_;
  std::size_t bytes_ = 0;
  Revision reaches_back_to_;
};

// One executor; not thread-safe.
class CommitFeed {
 public:
  CommitFeed(base::Executor executor, HistoryLimits limits, Revision newest)
      : window_(limits, newest), newest_(newest), pushed_(std::move(executor)) {}

  // Wakes the watches; they run before whatever is posted to the executor afterwards.
  void push(CommitPointer commit);

  // What came up to `newest` is unknown: watches that haven't come so far are told to list again.
  void skip_to(Revision newest);

  // Every watch ends with `error`.
  void close(base::Error error);

  Revision newest() const { return newest_; }
  Revision reaches_back_to() const { return window_.reaches_back_to(); }
  const std::optional<base::Error>& closed() const { return closed_; }

  // The first commit after `revision`; nullptr where that is the newest. `revision` >= reaches_back_to().
  CommitPointer after(Revision revision) const;

  // Until the next push() or close().
  base::Co<> wait() { return pushed_.wait(); }

 private:
  HistoryWindow window_;
  std::deque<CommitPointer> commits_;
  Revision newest_;
  std::optional<base::Error> closed_;
  base::Notifier pushed_;
};

// Commits after `after`, oldest first, at least one, from where the feed no longer has them; kOutOfRange where nobody
// has them any more.
using OlderCommits = std::function<base::Co<std::vector<CommitPointer>>(Revision after)>;

// Without `older` the watch reaches back as far as the feed does.
base::Result<std::unique_ptr<Watch>> watch_feed(std::shared_ptr<CommitFeed> feed, Revision after,
                                                OlderCommits older = nullptr);

std::unexpected<base::Error> fail_compacted(Revision after);

}  // namespace orchion::control::store
