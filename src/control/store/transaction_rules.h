#pragma once

// What every store checks alike, so that none accepts what another refuses.

#include "control/store/store.h"

namespace orchion::control::store {

// The limits on operations and bytes, no key empty, none twice: kInvalidArgument.
base::Result<> check_transaction(const Transaction& transaction);

// Keys and values of a transaction, in bytes.
std::size_t transaction_bytes(const Transaction& transaction);

// `created` and `revision` of the key's entry, both 0 where there is none. kAborted where it doesn't hold.
base::Result<> check_precondition(const Precondition& precondition, Revision created, Revision revision);

}  // namespace orchion::control::store
