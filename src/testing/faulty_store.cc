#include "testing/faulty_store.h"

namespace orchion::testing {

using control::store::Revision;

base::Co<Revision> FaultyStore::commit(control::store::Transaction transaction) {
  if (delay_ > base::Duration::zero()) CO_RETURN_IF_ERROR(co_await clock_.sleep(delay_));
  if (is_full_)
    co_return base::fail(base::Code::kResourceExhausted, "no space is left, so nothing was changed; free some");
  co_return co_await store_.commit(std::move(transaction));
}

}  // namespace orchion::testing
