#include "control/controllers/plan.h"

#include <cassert>

#include <google/protobuf/util/message_differencer.h>

#include "control/store/object_store.h"

namespace orchion::control::controllers {

namespace {

void add(store::Transaction& transaction, const Write& write) {
  std::visit(
      [&](const auto& object) {
        switch (write.verb) {
          case Verb::kCreate: return store::create(transaction, object);
          case Verb::kPutSpec: return store::put_spec(transaction, object);
          case Verb::kPutStatus:
            if constexpr (requires { object.status(); }) return store::put_status(transaction, object);
            assert(false && "this kind has no status");
            return;
          case Verb::kRemove: return store::remove(transaction, object);
        }
      },
      write.object);
}

std::size_t bytes_of(const store::Transaction& transaction) {
  std::size_t bytes = 0;
  for (const auto& operation : transaction.operations)
    bytes += operation.key.size() + (operation.value ? operation.value->size() : 0);
  for (const auto& precondition : transaction.preconditions) bytes += precondition.key.size();
  return bytes;
}

void append(store::Transaction& transaction, store::Transaction more) {
  std::move(more.preconditions.begin(), more.preconditions.end(), std::back_inserter(transaction.preconditions));
  std::move(more.operations.begin(), more.operations.end(), std::back_inserter(transaction.operations));
}

}  // namespace

std::vector<store::Transaction> to_transactions(const std::vector<Unit>& units) {
  std::vector<store::Transaction> transactions;
  std::size_t bytes = 0;
  for (const auto& unit : units) {
    store::Transaction next;
    for (const auto& write : unit) add(next, write);
    if (next.operations.empty()) continue;
    const std::size_t next_bytes = bytes_of(next);
    // Half of what a transaction may hold: the store counts a few bytes more per operation than is seen here.
    const bool fits = !transactions.empty() &&
                      transactions.back().operations.size() + next.operations.size() <= store::kOperationsMax &&
                      bytes + next_bytes <= store::kTransactionBytesMax / 2;
    if (fits) {
      append(transactions.back(), std::move(next));
      bytes += next_bytes;
    } else {
      transactions.push_back(std::move(next));
      bytes = next_bytes;
    }
  }
  return transactions;
}

bool is_same(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  return a.SerializeAsString() == b.SerializeAsString() || google::protobuf::util::MessageDifferencer::Equals(a, b);
}

Write write_event(const core::EventDraft& draft, Now now, base::Random& random) {
  return {Verb::kCreate, core::make_event(draft, now.wall, random)};
}

Unit remove_task(const v1::Task& task, const core::Decision& why, Now now) {
  return {{Verb::kRemove, task}, {Verb::kCreate, core::make_task_record(task, why, now.wall)}};
}

Unit with(Unit unit, Write more) {
  unit.push_back(std::move(more));
  return unit;
}

}  // namespace orchion::control::controllers
