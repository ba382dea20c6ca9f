#pragma once

// The one thread that touches the database, and the queue before it.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "base/notifier.h"
#include "control/store/sqlite/engine.h"

namespace orchion::control::store {

// A transaction on its way. The verdict belongs to the executor, the transaction to the writer's thread once queued.
struct PendingCommit {
  PendingCommit(const base::Executor& executor, Transaction the_transaction)
      : transaction(std::move(the_transaction)), done(executor) {}

  Transaction transaction;
  base::Notifier done;
  std::optional<base::Result<Revision>> verdict;
};

class Writer {
 public:
  using Pending = std::vector<std::shared_ptr<PendingCommit>>;

  // Called on the writer's thread; hands a group over to the executor.
  using Deliver = std::function<void(Pending, Engine::Group)>;
  using Read = std::function<void(Engine&)>;

  Writer(std::unique_ptr<Engine> engine, Deliver deliver);

  // Does all that is queued first.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // kResourceExhausted: too much waits already. Thread-safe, as read().
  base::Result<> commit(std::shared_ptr<PendingCommit> pending);

  // In the order of the queue: a read sees what was queued before it.
  void read(Read read);

 private:
  using Job = std::variant<std::shared_ptr<PendingCommit>, Read>;

  void work();
  void write(Pending group);
  Pending take_group();

  std::unique_ptr<Engine> engine_;
  Deliver deliver_;
  std::mutex mutex_;
  std::condition_variable queued_;
  std::deque<Job> queue_;
  std::size_t bytes_queued_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace orchion::control::store
