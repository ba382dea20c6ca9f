#include "control/store/etcd/transaction_codec.h"

#include <algorithm>

#include "control/store/transaction_rules.h"

namespace orchion::control::store {
namespace {

using etcdserverpb::Compare;
using etcdserverpb::RangeRequest;
using etcdserverpb::TxnRequest;

// What settling leaves in the slot.
std::string void_of(const std::string& token) {
  return "never " + token;
}

// etcd's --max-txn-ops, for comparisons and for operations each, as it is unless told otherwise.
constexpr std::size_t kEtcdOperationsMax = 128;

// Of the epoch, who leads, the slot, and one that is to be present. An operation more than the transaction's own writes
// the slot, one reads the newest.
constexpr std::size_t kOwnCompares = 4;

// What compare_all() looks up before the preconditions' keys.
constexpr int kOwnLookUps = 3;
static_assert(kOperationsMax + kOwnCompares <= kEtcdOperationsMax);

Compare& add_compare(TxnRequest& request, std::string key, Compare::CompareResult result,
                     Compare::CompareTarget target) {
  auto& compare = *request.add_compare();
  compare.set_key(std::move(key));
  compare.set_result(result);
  compare.set_target(target);
  return compare;
}

void expect_modified(TxnRequest& request, std::string key, EtcdRevision revision) {
  add_compare(request, std::move(key), Compare::EQUAL, Compare::MOD).set_mod_revision(revision);
}

void look_up(etcdserverpb::RequestOp& operation, std::string key) {
  operation.mutable_request_range()->set_key(std::move(key));
  operation.mutable_request_range()->set_keys_only(true);
}

void put_token(TxnRequest& request, const SlotUse& slot, const std::string& token) {
  auto& put = *request.add_success()->mutable_request_put();
  put.set_key(slot.key);
  put.set_value(token);
}

bool is_kept(const Precondition& precondition) {
  return precondition.holds == Precondition::Holds::kNotRemoved;
}

// What the answer to a look_up() found; nullptr: no such key.
const mvccpb::KeyValue* found(const etcdserverpb::TxnResponse& response, int place) {
  const auto& range = response.responses(place).response_range();
  return range.kvs().empty() ? nullptr : &range.kvs(0);
}

EtcdRevision modified(const mvccpb::KeyValue* pair) {
  return pair == nullptr ? 0 : pair->mod_revision();
}

std::unexpected<base::Error> not_understood() {
  return base::fail(base::Code::kInternal,
                    "etcd gave an answer that doesn't fit the question: see whether its version is at least 3.4");
}

}  // namespace

void TransactionCodec::expect_kept(TxnRequest& request, const Precondition& precondition, const Known& known) const {
  const auto key = layout_.entry(precondition.key);
  const auto since = to_etcd(precondition.revision);
  const auto created = known.created.find(precondition.key);
  if (created == known.created.end()) {
    add_compare(request, key, Compare::GREATER, Compare::CREATE).set_create_revision(0);
    add_compare(request, key, Compare::LESS, Compare::CREATE).set_create_revision(since + 1);
  } else if (created->second != 0 && created->second <= since) {
    add_compare(request, key, Compare::EQUAL, Compare::CREATE).set_create_revision(created->second);
  } else {
    // What was removed, or made anew, stays so.
    add_compare(request, key, Compare::LESS, Compare::CREATE).set_create_revision(0);
  }
}

void TransactionCodec::add_precondition(TxnRequest& request, const Precondition& precondition,
                                        const Known& known) const {
  if (precondition.holds == Precondition::Holds::kNotRemoved) return expect_kept(request, precondition, known);
  const auto key = layout_.entry(precondition.key);
  if (precondition.revision == 0) {
    add_compare(request, key, Compare::EQUAL, Compare::CREATE).set_create_revision(0);
  } else {
    expect_modified(request, key, to_etcd(precondition.revision));
  }
}

// Where it fails, the answer is what is found at the epoch, at who leads, the slot, and each precondition's key.
void TransactionCodec::compare_all(TxnRequest& request, const Transaction& transaction, const SlotUse& slot,
                                   const Known& known) const {
  expect_modified(request, layout_.epoch(), base_);
  look_up(*request.add_failure(), layout_.epoch());
  if (fence_) add_compare(request, layout_.leader(), Compare::EQUAL, Compare::CREATE).set_create_revision(*fence_);
  look_up(*request.add_failure(), layout_.leader());
  look_up(*request.add_failure(), slot.key);
  for (const auto& precondition : transaction.preconditions) {
    add_precondition(request, precondition, known);
    look_up(*request.add_failure(), layout_.entry(precondition.key));
  }
}

void TransactionCodec::ask_for_newest(TxnRequest& request) const {
  const auto writers = layout_.writers();
  auto& range = *request.add_success()->mutable_request_range();
  range.set_key(writers.begin);
  range.set_range_end(writers.end);
  range.set_limit(1);
  range.set_sort_order(RangeRequest::DESCEND);
  range.set_sort_target(RangeRequest::MOD);
  range.set_keys_only(true);
}

bool TransactionCodec::needs_created(const Transaction& transaction) {
  const auto kept = std::ranges::count_if(transaction.preconditions, is_kept);
  return transaction.preconditions.size() + static_cast<std::size_t>(kept) + kOwnCompares > kEtcdOperationsMax;
}

TxnRequest TransactionCodec::encode_asking_created(const Transaction& transaction) const {
  TxnRequest request;
  for (const auto& precondition : transaction.preconditions) {
    if (is_kept(precondition)) look_up(*request.add_success(), layout_.entry(precondition.key));
  }
  return request;
}

base::Result<> TransactionCodec::decode_created(const Transaction& transaction,
                                                const etcdserverpb::TxnResponse& response, Known& known) const {
  int place = 0;
  for (const auto& precondition : transaction.preconditions) {
    if (!is_kept(precondition)) continue;
    if (place >= response.responses_size()) return not_understood();
    const auto* const pair = found(response, place++);
    known.created[precondition.key] = pair ? pair->create_revision() : 0;
  }
  return {};
}

bool TransactionCodec::needs_present(const Transaction& transaction) {
  if (transaction.operations.empty()) return false;
  const auto changes_something = [&transaction](const Operation& operation) {
    return operation.value || std::ranges::any_of(transaction.preconditions, [&operation](const Precondition& p) {
             return p.key == operation.key && (p.revision != 0 || is_kept(p));
           });
  };
  return std::ranges::none_of(transaction.operations, changes_something);
}

TxnRequest TransactionCodec::encode_asking_present(const Transaction& transaction, const SlotUse& slot,
                                                   const Known& known) const {
  TxnRequest request;
  compare_all(request, transaction, slot, known);
  for (const auto& operation : transaction.operations) look_up(*request.add_success(), layout_.entry(operation.key));
  ask_for_newest(request);
  return request;
}

base::Result<TransactionCodec::Verdict> TransactionCodec::decode_present(const Transaction& transaction,
                                                                         const SlotUse& slot,
                                                                         const etcdserverpb::TxnResponse& response,
                                                                         Known& known) const {
  if (!response.succeeded()) return explain_failure(transaction, response);
  const auto asked = static_cast<int>(transaction.operations.size());
  if (response.responses_size() != asked + 1) return not_understood();
  for (int i = 0; i < asked && !known.present; ++i) {
    const auto* const pair = found(response, i);
    if (pair) known.present = {transaction.operations[static_cast<std::size_t>(i)].key, pair->create_revision()};
  }
  return Verdict{.revision = newest_of(response.responses(asked).response_range()), .slot_modified = slot.modified};
}

TxnRequest TransactionCodec::encode(const Transaction& transaction, const SlotUse& slot, const Known& known) const {
  TxnRequest request;
  compare_all(request, transaction, slot, known);
  if (known.present) {
    add_compare(request, layout_.entry(known.present->first), Compare::EQUAL, Compare::CREATE)
        .set_create_revision(known.present->second);
  }
  if (!transaction.operations.empty()) {
    expect_modified(request, slot.key, slot.modified);
    put_token(request, slot, slot.token);
  }
  for (const auto& operation : transaction.operations) add_operation(request, operation);
  ask_for_newest(request);
  return request;
}

void TransactionCodec::add_operation(TxnRequest& request, const Operation& operation) const {
  auto& op = *request.add_success();
  if (operation.value) {
    op.mutable_request_put()->set_key(layout_.entry(operation.key));
    op.mutable_request_put()->set_value(*operation.value);
  } else {
    op.mutable_request_delete_range()->set_key(layout_.entry(operation.key));
  }
}

base::Result<TransactionCodec::Verdict> TransactionCodec::decode(const Transaction& transaction, const SlotUse& slot,
                                                                 const etcdserverpb::TxnResponse& response) const {
  if (!response.succeeded()) return explain_failure(transaction, response);
  const bool writes = !transaction.operations.empty();
  const auto expected = transaction.operations.size() + (writes ? 2 : 1);
  if (response.responses_size() != static_cast<int>(expected)) return not_understood();
  const auto newest = newest_of(response.responses(response.responses_size() - 1).response_range());
  return Verdict{.revision = newest, .slot_modified = writes ? to_etcd(newest) : slot.modified};
}

base::Result<TransactionCodec::Verdict> TransactionCodec::explain_failure(
    const Transaction& transaction, const etcdserverpb::TxnResponse& response) const {
  if (response.responses_size() != static_cast<int>(transaction.preconditions.size()) + kOwnLookUps) {
    return not_understood();
  }
  if (modified(found(response, 0)) != base_) return Verdict{.kind = Verdict::Kind::kEpochOver};
  const auto* const leader = found(response, 1);
  if (fence_ && (leader == nullptr || leader->create_revision() != *fence_))
    return Verdict{.kind = Verdict::Kind::kFenced};
  Verdict verdict{.kind = Verdict::Kind::kAgain, .slot_modified = modified(found(response, 2))};
  for (std::size_t i = 0; i < transaction.preconditions.size(); ++i) {
    const auto* pair = found(response, static_cast<int>(i) + kOwnLookUps);
    const auto held = check_precondition(transaction.preconditions[i], pair ? from_etcd(pair->create_revision()) : 0,
                                         pair ? from_etcd(pair->mod_revision()) : 0);
    if (held) continue;
    verdict.kind = Verdict::Kind::kRefused;
    verdict.error = held.error();
    break;
  }
  return verdict;
}

TxnRequest TransactionCodec::encode_settling(const SlotUse& slot) const {
  TxnRequest request;
  expect_modified(request, slot.key, slot.modified);
  put_token(request, slot, void_of(slot.token));
  request.add_failure()->mutable_request_range()->set_key(slot.key);
  return request;
}

base::Result<TransactionCodec::Settled> TransactionCodec::decode_settling(
    const SlotUse& slot, const etcdserverpb::TxnResponse& response) const {
  if (response.responses_size() != 1) return not_understood();
  if (response.succeeded()) return Settled{Settled::Kind::kNever, response.header().revision()};
  const auto* pair = found(response, 0);
  if (pair == nullptr) return not_understood();
  auto kind = Settled::Kind::kOverwritten;
  if (pair->value() == slot.token) kind = Settled::Kind::kApplied;
  if (pair->value() == void_of(slot.token)) kind = Settled::Kind::kNever;
  return Settled{kind, pair->mod_revision()};
}

TxnRequest TransactionCodec::encode_asking_newest() const {
  TxnRequest request;
  expect_modified(request, layout_.epoch(), base_);
  ask_for_newest(request);
  return request;
}

TxnRequest TransactionCodec::encode_listing(const std::string& key_prefix, std::int64_t limit) const {
  TxnRequest request = encode_asking_newest();
  const auto entries = layout_.entries(key_prefix);
  auto& range = *request.add_success()->mutable_request_range();
  range.set_key(entries.begin);
  range.set_range_end(entries.end);
  range.set_limit(limit);
  return request;
}

Entry TransactionCodec::entry_of(const mvccpb::KeyValue& pair) const {
  return {layout_.key_of(pair.key()), pair.value(), from_etcd(pair.mod_revision()), from_etcd(pair.create_revision())};
}

Revision TransactionCodec::newest_of(const etcdserverpb::RangeResponse& slots) const {
  return slots.kvs().empty() ? 0 : from_etcd(slots.kvs(0).mod_revision());
}

}  // namespace orchion::control::store
