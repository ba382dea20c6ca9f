#include "control/store/etcd/etcd_writer.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "control/store/transaction_rules.h"

namespace orchion::control::store {

using base::Code;

namespace {

// etcd puts what comes together into one fsync: 32 callers at once wrote five times what one did.
constexpr std::size_t kSlots = 32;

constexpr std::size_t kQueuedMax = 10'000;
constexpr std::size_t kQueuedBytesMax = 64u << 20;

base::Error refused_by_etcd(const base::Error& error) {
  if (error.message.find("space exceeded") != std::string::npos) {
    return {
        Code::kResourceExhausted,
        "etcd's database is full, so nothing was changed: compact and defragment it or raise --quota-backend-bytes, "
        "then `etcdctl alarm disarm`",
        {}};
  }
  return {error.code, fmt::format("etcd refuses the write, so nothing was changed ({})", error.message), {}};
}

base::Error fenced() {
  return {Code::kUnavailable, "this server leads no more, so nothing was changed: another goes on", {}};
}

base::Result<std::optional<Revision>> not_written(const base::Error& error) {
  if (EtcdClient::is_undecided(error)) return std::nullopt;
  return std::unexpected(refused_by_etcd(error));
}

base::Error no_quorum(const base::Error& error, std::string_view known) {
  return {Code::kUnavailable,
          fmt::format("etcd takes no writes now, {} ({}): reads and workloads go on, writes when a majority of its "
                      "members is back",
                      known, error.message),
          {}};
}

}  // namespace

EtcdWriter::EtcdWriter(std::shared_ptr<EtcdLink> link, std::shared_ptr<EtcdFollower> follower, const std::string& name)
    : link_(std::move(link)), follower_(std::move(follower)), folder_(link_->codec.layout().writer(name)) {
  for (std::size_t i = 0; i < kSlots; ++i) slots_.push_back({.use = {.key = folder_ + std::to_string(i)}});
}

base::Co<> EtcdWriter::start() {
  const auto self = shared_from_this();
  const auto range = keys_below(folder_);
  etcdserverpb::RangeRequest request;
  request.set_key(range.begin);
  request.set_range_end(range.end);
  request.set_keys_only(true);
  CO_ASSIGN_OR_RETURN(const auto found, co_await link_->client->call<etcdserverpb::RangeResponse>(
                                            kRangeMethod, std::move(request), kAnswerLimit));
  for (const auto& pair : found.kvs()) {
    const auto slot = std::ranges::find(slots_, pair.key(), [](const Slot& s) { return s.use.key; });
    if (slot != slots_.end()) slot->use.modified = pair.mod_revision();
  }
  co_return base::Result<>{};
}

base::Result<> EtcdWriter::commit(Pending pending) {
  if (link_->feed->closed()) return std::unexpected(*link_->feed->closed());
  const auto bytes = transaction_bytes(pending->transaction);
  if (queue_.size() >= kQueuedMax || bytes_queued_ + bytes > kQueuedBytesMax) {
    return base::fail(Code::kResourceExhausted,
                      "too many writes are waiting for etcd, so nothing was changed; try again in a moment");
  }
  bytes_queued_ += bytes;
  queue_.push_back(std::move(pending));
  begin_what_can();
  return {};
}

void EtcdWriter::refuse_queue(const base::Error& error) {
  for (const auto& pending : std::exchange(queue_, {})) {
    pending->verdict = std::unexpected(error);
    pending->done.notify();
  }
  bytes_queued_ = 0;
}

void EtcdWriter::begin_what_can() {
  for (auto& slot : slots_) {
    if (queue_.empty()) return;
    if (slot.state != Slot::State::kFree) continue;
    auto pending = std::move(queue_.front());
    queue_.pop_front();
    bytes_queued_ -= transaction_bytes(pending->transaction);
    slot.state = Slot::State::kBusy;
    link_->spawn(carry(&slot, std::move(pending)));
  }
  const auto unsettled = [](const Slot& slot) { return slot.state == Slot::State::kUnsettled; };
  if (std::ranges::all_of(slots_, unsettled)) {
    refuse_queue(no_quorum({Code::kUnavailable, "earlier writes have no answer yet", {}}, "nothing was changed"));
  }
}

base::Co<> EtcdWriter::carry(Slot* slot, Pending pending) {
  const auto self = shared_from_this();
  auto verdict = co_await write(slot, pending);
  if (slot->state == Slot::State::kUnsettled) {
    link_->spawn(settle_later(slot));
  } else {
    slot->state = Slot::State::kFree;
  }
  begin_what_can();
  if (verdict) {
    const auto seen = co_await follower_->wait_until(*verdict);
    if (!seen) verdict = std::unexpected(seen.error());
  }
  pending->verdict = std::move(verdict);
  pending->done.notify();
  co_return base::Result<>{};
}

base::Co<Revision> EtcdWriter::write(Slot* slot, Pending pending) {
  const auto deadline = link_->clock.now() + kAnswerLimit;
  base::Backoff backoff({.first = std::chrono::milliseconds(20), .longest = std::chrono::seconds(1)});
  for (;;) {
    const auto attempted = co_await attempt(slot, pending);
    if (attempted && *attempted) co_return **attempted;
    if (!attempted) co_return std::unexpected(attempted.error());
    if (link_->feed->closed()) co_return std::unexpected(*link_->feed->closed());
    if (link_->clock.now() >= deadline) {
      co_return std::unexpected(no_quorum({Code::kUnavailable, "no member carries it out", {}}, "nothing was changed"));
    }
    CO_RETURN_IF_ERROR(co_await link_->pause(backoff.next(random_)));
  }
}

// nullopt: it was surely not applied; it may be tried again.
base::Co<std::optional<Revision>> EtcdWriter::attempt(Slot* slot, Pending pending) {
  const auto& transaction = pending->transaction;
  const auto& codec = link_->codec;
  TransactionCodec::Known known;
  if (TransactionCodec::needs_created(transaction)) {
    const auto answer = co_await ask(codec.encode_asking_created(transaction));
    if (!answer) co_return not_written(answer.error());
    CO_RETURN_IF_ERROR(codec.decode_created(transaction, *answer, known));
  }
  if (TransactionCodec::needs_present(transaction)) {
    const auto answer = co_await ask(codec.encode_asking_present(transaction, slot->use, known));
    if (!answer) co_return not_written(answer.error());
    CO_ASSIGN_OR_RETURN(const auto verdict, codec.decode_present(transaction, slot->use, *answer, known));
    if (!known.present) co_return conclude(slot, verdict);
  }
  slot->use.token = random_.text(20);
  const auto answer = co_await ask(codec.encode(transaction, slot->use, known));
  if (!answer && EtcdClient::is_undecided(answer.error()) && !transaction.operations.empty()) {
    const auto settled = co_await settle(slot);
    if (settled) co_return conclude(*settled);
    if (link_->feed->closed()) co_return std::unexpected(*link_->feed->closed());
    slot->state = Slot::State::kUnsettled;
    co_return std::unexpected(no_quorum(settled.error(), "and it isn't known whether this one was carried out"));
  }
  if (!answer) co_return not_written(answer.error());
  CO_ASSIGN_OR_RETURN(const auto verdict, codec.decode(transaction, slot->use, *answer));
  co_return conclude(slot, verdict);
}

base::Co<etcdserverpb::TxnResponse> EtcdWriter::ask(etcdserverpb::TxnRequest request) {
  return link_->client->call_once<etcdserverpb::TxnResponse>(kTxnMethod, std::move(request), EtcdClient::kAttemptLimit);
}

base::Result<std::optional<Revision>> EtcdWriter::conclude(Slot* slot, const TransactionCodec::Verdict& verdict) {
  switch (verdict.kind) {
    case TransactionCodec::Verdict::Kind::kDone: slot->use.modified = verdict.slot_modified; return verdict.revision;
    case TransactionCodec::Verdict::Kind::kRefused: return std::unexpected(verdict.error);
    case TransactionCodec::Verdict::Kind::kAgain: slot->use.modified = verdict.slot_modified; return std::nullopt;
    case TransactionCodec::Verdict::Kind::kFenced: link_->close(fenced()); return std::unexpected(fenced());
    case TransactionCodec::Verdict::Kind::kEpochOver: break;
  }
  link_->close(epoch_over());
  return std::unexpected(epoch_over());
}

base::Result<std::optional<Revision>> EtcdWriter::conclude(const TransactionCodec::Settled& settled) const {
  switch (settled.kind) {
    case TransactionCodec::Settled::Kind::kApplied: return link_->codec.from_etcd(settled.slot_modified);
    case TransactionCodec::Settled::Kind::kNever: return std::nullopt;
    case TransactionCodec::Settled::Kind::kOverwritten: break;
  }
  return base::fail(Code::kUnavailable,
                    "another server wrote under this one's name, and it isn't known whether the change was made: read "
                    "before you try again, and let each server have a data folder of its own");
}

base::Co<TransactionCodec::Settled> EtcdWriter::settle(Slot* slot) {
  CO_ASSIGN_OR_RETURN(const auto answer, co_await link_->client->call<etcdserverpb::TxnResponse>(
                                             kTxnMethod, link_->codec.encode_settling(slot->use), kAnswerLimit));
  CO_ASSIGN_OR_RETURN(const auto settled, link_->codec.decode_settling(slot->use, answer));
  slot->use.modified = settled.slot_modified;
  co_return settled;
}

// The slot can't be used before; nobody waits for the answer any more.
base::Co<> EtcdWriter::settle_later(Slot* slot) {
  const auto self = shared_from_this();
  base::Backoff backoff({.first = std::chrono::milliseconds(200), .longest = std::chrono::seconds(2)});
  while (!link_->closed()) {
    const auto settled = co_await settle(slot);
    if (settled) {
      slot->state = Slot::State::kFree;
      begin_what_can();
      break;
    }
    CO_RETURN_IF_ERROR(co_await link_->pause(backoff.next(random_)));
  }
  co_return base::Result<>{};
}

}  // namespace orchion::control::store
