#include "control/store/sqlite/writer.h"

#include "control/store/transaction_rules.h"

namespace orchion::control::store {
namespace {

constexpr std::size_t kQueueJobsMax = 10'000;
constexpr std::size_t kQueueBytesMax = 64u << 20;

// Small enough that one group's commits never push each other out of the history.
constexpr std::size_t kGroupCommitsMax = 128;
constexpr std::size_t kGroupBytesMax = 2u << 20;

}  // namespace

Writer::Writer(std::unique_ptr<Engine> engine, Deliver deliver)
    : engine_(std::move(engine)), deliver_(std::move(deliver)), thread_([this] { work(); }) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  queued_.notify_one();
  thread_.join();
}

base::Result<> Writer::commit(std::shared_ptr<PendingCommit> pending) {
  {
    const std::lock_guard lock(mutex_);
    const std::size_t bytes = transaction_bytes(pending->transaction);
    if (queue_.size() >= kQueueJobsMax || bytes_queued_ + bytes > kQueueBytesMax) {
      return base::fail(base::Code::kResourceExhausted,
                        "too many writes are waiting for the disk, so nothing was changed; try again in a moment");
    }
    bytes_queued_ += bytes;
    queue_.emplace_back(std::move(pending));
  }
  queued_.notify_one();
  return {};
}

void Writer::read(Read read) {
  {
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(std::move(read));
  }
  queued_.notify_one();
}

void Writer::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    queued_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    if (std::holds_alternative<Read>(queue_.front())) {
      const Read read = std::get<Read>(std::move(queue_.front()));
      queue_.pop_front();
      lock.unlock();
      read(*engine_);
    } else {
      Pending group = take_group();
      lock.unlock();
      write(std::move(group));
    }
    lock.lock();
  }
}

// What waits at the front of the queue, as much as fits one group. With the mutex held.
Writer::Pending Writer::take_group() {
  Pending group;
  std::size_t bytes = 0;
  while (!queue_.empty() && group.size() < kGroupCommitsMax) {
    auto* const pending = std::get_if<std::shared_ptr<PendingCommit>>(&queue_.front());
    if (pending == nullptr) break;
    const std::size_t more = transaction_bytes((*pending)->transaction);
    if (!group.empty() && bytes + more > kGroupBytesMax) break;
    bytes += more;
    group.push_back(std::move(*pending));
    queue_.pop_front();
  }
  bytes_queued_ -= bytes;
  return group;
}

void Writer::write(Pending group) {
  std::vector<Transaction> transactions;
  transactions.reserve(group.size());
  for (const auto& pending : group) transactions.push_back(std::move(pending->transaction));
  auto written = engine_->commit(transactions);
  deliver_(std::move(group), std::move(written));
  engine_->maintain();
}

}  // namespace orchion::control::store
