#include "control/store/transaction_rules.h"

#include <string_view>
#include <unordered_set>

#include <fmt/format.h>

namespace orchion::control::store {
namespace {

using base::Code;
using base::fail;

base::Result<> check_keys(const Transaction& transaction) {
  std::unordered_set<std::string_view> seen;
  for (const auto& operation : transaction.operations) {
    if (operation.key.empty()) return fail(Code::kInvalidArgument, "a transaction can't write to an empty key");
    if (!seen.insert(operation.key).second) {
      return fail(Code::kInvalidArgument,
                  fmt::format("a transaction names \"{}\" twice; a key can be written once only", operation.key));
    }
  }
  return {};
}

}  // namespace

std::size_t transaction_bytes(const Transaction& transaction) {
  std::size_t bytes = 0;
  for (const auto& precondition : transaction.preconditions) bytes += precondition.key.size();
  for (const auto& operation : transaction.operations) {
    bytes += operation.key.size() + (operation.value ? operation.value->size() : 0);
  }
  return bytes;
}

base::Result<> check_transaction(const Transaction& transaction) {
  if (transaction.operations.size() > kOperationsMax || transaction.preconditions.size() > kOperationsMax) {
    return fail(Code::kInvalidArgument,
                fmt::format("a transaction of {} operations and {} preconditions is too large; {} of each is the most",
                            transaction.operations.size(), transaction.preconditions.size(), kOperationsMax));
  }
  if (const auto bytes = transaction_bytes(transaction); bytes > kTransactionBytesMax) {
    return fail(Code::kInvalidArgument,
                fmt::format("a transaction of {} bytes is too large; {} is the most", bytes, kTransactionBytesMax));
  }
  return check_keys(transaction);
}

base::Result<> check_precondition(const Precondition& precondition, Revision created, Revision revision) {
  if (precondition.holds == Precondition::Holds::kUnchanged) {
    if (revision == precondition.revision) return {};
    if (precondition.revision == 0) {
      return fail(Code::kAborted, fmt::format("\"{}\" exists already; read it and try again", precondition.key));
    }
  } else if (created != 0 && created <= precondition.revision) {
    return {};
  }
  if (revision == 0) {
    return fail(Code::kAborted, fmt::format("\"{}\" was removed meanwhile; read it and try again", precondition.key));
  }
  return fail(Code::kAborted, fmt::format("\"{}\" was changed meanwhile; read it and try again", precondition.key));
}

}  // namespace orchion::control::store
