#include "control/store/etcd/etcd_store.h"

#include <fmt/format.h>

#include "base/log.h"
#include "control/store/etcd/etcd_writer.h"
#include "control/store/transaction_rules.h"

namespace orchion::control::store {

using base::Code;
using etcdserverpb::RangeRequest;
using etcdserverpb::RangeResponse;
using etcdserverpb::TxnResponse;

namespace {

constexpr std::string_view kForm = "orchion 1 ";
constexpr std::int64_t kPageKeys = 1000;
constexpr int kListAttempts = 3;

struct Epoch {
  std::string name;
  EtcdRevision base = 0;
};

base::Co<Epoch> read_epoch(std::shared_ptr<EtcdClient> client, EtcdLayout layout) {
  RangeRequest request;
  request.set_key(layout.epoch());
  CO_ASSIGN_OR_RETURN(const auto found,
                      co_await client->call<RangeResponse>(kRangeMethod, std::move(request), kAnswerLimit));
  if (found.kvs().empty()) co_return Epoch{};
  const auto& pair = found.kvs(0);
  if (!pair.value().starts_with(kForm)) {
    co_return base::fail(Code::kFailedPrecondition,
                         fmt::format("{} in etcd was written by another version or program; use this server's version "
                                     "of orchion or another prefix",
                                     layout.epoch()));
  }
  co_return Epoch{pair.value().substr(kForm.size()), pair.mod_revision()};
}

// Several servers may try at once: one wins. Nothing is lost where this is done twice.
base::Co<> begin_epoch(std::shared_ptr<EtcdClient> client, EtcdLayout layout) {
  auto random = base::Random::from_system();
  etcdserverpb::TxnRequest request;
  auto& compare = *request.add_compare();
  compare.set_key(layout.epoch());
  compare.set_target(etcdserverpb::Compare::CREATE);
  compare.set_create_revision(0);
  auto& put = *request.add_success()->mutable_request_put();
  put.set_key(layout.epoch());
  put.set_value(std::string(kForm) + random.text(16));
  CO_RETURN_IF_ERROR(co_await client->call<TxnResponse>(kTxnMethod, std::move(request), kAnswerLimit));
  co_return base::Result<>{};
}

base::Co<Epoch> find_epoch(std::shared_ptr<EtcdClient> client, EtcdLayout layout) {
  CO_ASSIGN_OR_RETURN(auto epoch, co_await read_epoch(client, layout));
  if (!epoch.name.empty()) co_return epoch;
  CO_RETURN_IF_ERROR(co_await begin_epoch(client, layout));
  CO_ASSIGN_OR_RETURN(epoch, co_await read_epoch(client, layout));
  if (epoch.name.empty()) co_return base::fail(Code::kAborted, "somebody removes the state in etcd; see who");
  co_return epoch;
}

base::Error unreadable(const base::Error& error) {
  if (error.code != Code::kUnavailable && error.code != Code::kDeadlineExceeded) return error;
  return {Code::kUnavailable,
          fmt::format("etcd doesn't answer ({}): see whether a majority of its members runs", error.message),
          {}};
}

}  // namespace

struct EtcdStore::State : std::enable_shared_from_this<State> {
  State(std::shared_ptr<EtcdLink> the_link, std::string the_epoch, EtcdRevision seen, const EtcdStoreOptions& options)
      : link(std::move(the_link)),
        epoch(std::move(the_epoch)),
        compact_every(options.compact_every),
        follower(std::make_shared<EtcdFollower>(link, seen)),
        writer(std::make_shared<EtcdWriter>(link, follower, options.writer)) {}

  base::Co<> compact_now_and_then();
  base::Co<Snapshot> list(std::string prefix, std::int64_t page);
  base::Co<> add_pages(Snapshot* snapshot, RangeResponse page, KeyRange range, std::int64_t limit);

  std::shared_ptr<EtcdLink> link;
  const std::string epoch;
  const base::Duration compact_every;
  std::shared_ptr<EtcdFollower> follower;
  std::shared_ptr<EtcdWriter> writer;
};

base::Co<std::unique_ptr<EtcdStore>> EtcdStore::open(base::Executor executor, EtcdStoreOptions options) {
  const EtcdLayout layout(options.prefix);
  auto client = std::make_shared<EtcdClient>(executor, options.access);
  const auto epoch = co_await find_epoch(client, layout);
  if (!epoch) {
    client->close();
    co_return std::unexpected(unreadable(epoch.error()));
  }
  auto link = std::make_shared<EtcdLink>(executor, client, TransactionCodec(layout, epoch->base), nullptr);
  auto newest = co_await client->call<TxnResponse>(kTxnMethod, link->codec.encode_asking_newest(), kAnswerLimit);
  if (newest && !newest->succeeded()) newest = std::unexpected(epoch_over());
  if (!newest) {
    client->close();
    co_return std::unexpected(unreadable(newest.error()));
  }
  const auto revision = link->codec.newest_of(newest->responses(0).response_range());
  link->feed = std::make_shared<CommitFeed>(executor, options.history, revision);
  const auto state = std::make_shared<State>(link, epoch->name, newest->header().revision(), options);
  const auto started = co_await state->writer->start();
  if (!started) {
    link->close(unreadable(started.error()));
    co_return std::unexpected(unreadable(started.error()));
  }
  link->spawn(state->follower->run());
  link->ended = std::move(options.ended);
  if (options.compact_every > base::Duration::zero()) link->spawn(state->compact_now_and_then());
  co_return std::unique_ptr<EtcdStore>(new EtcdStore(state));
}

EtcdStore::EtcdStore(std::shared_ptr<State> state) : state_(std::move(state)) {}

EtcdStore::~EtcdStore() {
  state_->link->ended = nullptr;
  const base::Error closed{Code::kUnavailable, "the store was closed", {}};
  state_->link->close(closed);
  state_->writer->refuse_queue(closed);
}

void EtcdStore::fence(EtcdRevision term) {
  state_->link->codec.set_fence(term);
}

base::Co<Revision> EtcdStore::commit(Transaction transaction) {
  CO_RETURN_IF_ERROR(check_transaction(transaction));
  auto pending = std::make_shared<PendingTransaction>(state_->link->executor, std::move(transaction));
  CO_RETURN_IF_ERROR(state_->writer->commit(pending));
  while (!pending->verdict) CO_RETURN_IF_ERROR(co_await pending->done.wait());
  co_return *pending->verdict;
}

base::Co<std::optional<Entry>> EtcdStore::get(std::string key) {
  const auto state = state_;
  RangeRequest request;
  request.set_key(state->link->codec.layout().entry(key));
  const auto found = co_await state->link->client->call<RangeResponse>(kRangeMethod, std::move(request), kAnswerLimit);
  if (!found) co_return std::unexpected(unreadable(found.error()));
  if (found->kvs().empty()) co_return std::optional<Entry>();
  co_return state->link->codec.entry_of(found->kvs(0));
}

base::Co<Snapshot> EtcdStore::list(std::string prefix) {
  const auto state = state_;
  std::int64_t page = kPageKeys;
  for (int attempts = 1;; ++attempts) {
    auto snapshot = co_await state->list(prefix, page);
    if (snapshot) co_return snapshot;
    if (snapshot.error().code == Code::kResourceExhausted && page > 1) {
      page = page / 8 + 1;  // larger than a message may be
    } else if (snapshot.error().code != Code::kOutOfRange || attempts >= kListAttempts) {
      co_return std::unexpected(unreadable(snapshot.error()));
    }
  }
}

// kOutOfRange: what the first page is of was compacted before the last was read.
base::Co<Snapshot> EtcdStore::State::list(std::string prefix, std::int64_t page) {
  const auto self = shared_from_this();
  CO_ASSIGN_OR_RETURN(auto first, co_await link->client->call<TxnResponse>(
                                      kTxnMethod, link->codec.encode_listing(prefix, page), kAnswerLimit));
  if (!first.succeeded()) {
    link->close(epoch_over());
    co_return std::unexpected(epoch_over());
  }
  Snapshot snapshot;
  snapshot.revision = link->codec.newest_of(first.responses(0).response_range());
  auto& range = *first.mutable_responses(1)->mutable_response_range();
  range.mutable_header()->set_revision(first.header().revision());
  CO_RETURN_IF_ERROR(co_await add_pages(&snapshot, std::move(range), link->codec.layout().entries(prefix), page));
  co_return snapshot;
}

base::Co<> EtcdStore::State::add_pages(Snapshot* snapshot, RangeResponse page, KeyRange range, std::int64_t limit) {
  const auto as_of = page.header().revision();
  for (;;) {
    for (const auto& pair : page.kvs()) snapshot->entries.push_back(link->codec.entry_of(pair));
    if (!page.more() || page.kvs().empty()) co_return base::Result<>{};
    RangeRequest request;
    request.set_key(page.kvs(page.kvs_size() - 1).key() + '\0');
    request.set_range_end(range.end);
    request.set_limit(limit);
    request.set_revision(as_of);
    CO_ASSIGN_OR_RETURN(page,
                        co_await link->client->call<RangeResponse>(kRangeMethod, std::move(request), kAnswerLimit));
  }
}

base::Co<std::unique_ptr<Watch>> EtcdStore::watch(Revision after) {
  const auto state = state_;
  if (after > state->link->feed->newest()) {
    CO_ASSIGN_OR_RETURN(const auto newest, co_await state->follower->ask_for_newest());
    if (after <= newest.revision) CO_RETURN_IF_ERROR(co_await state->follower->wait_until(after));
  }
  co_return watch_feed(state->link->feed, after);
}

Revision EtcdStore::revision() const {
  return state_->link->feed->newest();
}

const std::string& EtcdStore::epoch() const {
  return state_->epoch;
}

// etcd keeps what this server's watch has seen for one more round, for the watches of slower servers.
base::Co<> EtcdStore::State::compact_now_and_then() {
  const auto self = shared_from_this();
  EtcdRevision seen_before = 0;
  for (;;) {
    CO_RETURN_IF_ERROR(co_await link->pause(compact_every));
    if (link->closed()) co_return base::Result<>{};
    const auto before = std::exchange(seen_before, follower->seen());
    if (before == 0) continue;
    etcdserverpb::CompactionRequest request;
    request.set_revision(before);
    const auto done = co_await link->client->call<etcdserverpb::CompactionResponse>("/etcdserverpb.KV/Compact",
                                                                                    std::move(request), kAnswerLimit);
    // Another server was there before.
    if (done || done.error().code == Code::kOutOfRange) continue;
    base::log::warn("etcd's history can't be compacted now ({}); trying again", done.error().message);
  }
}

}  // namespace orchion::control::store
