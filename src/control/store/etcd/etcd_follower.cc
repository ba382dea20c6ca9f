#include "control/store/etcd/etcd_follower.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/timeout.h"
#include "control/store/etcd/watch_assembler.h"

namespace orchion::control::store {

using base::Code;

namespace {

// What is durable is watched at once where all is well.
constexpr base::Duration kWatchLag = std::chrono::seconds(2);

etcdserverpb::WatchRequest watch_after(const EtcdLayout& layout, EtcdRevision seen) {
  const auto range = layout.everything();
  etcdserverpb::WatchRequest request;
  auto& create = *request.mutable_create_request();
  create.set_key(range.begin);
  create.set_range_end(range.end);
  create.set_start_revision(seen + 1);
  create.set_progress_notify(true);
  create.set_fragment(true);
  return request;
}

base::Result<etcdserverpb::WatchResponse> parse(const std::optional<std::string>& bytes) {
  etcdserverpb::WatchResponse response;
  if (!bytes) return base::fail(Code::kUnavailable, "etcd ended the watch");
  if (!response.ParseFromString(*bytes)) return base::fail(Code::kInternal, "etcd's watch isn't readable");
  if (response.compact_revision() > 0) return base::fail(Code::kOutOfRange, "compacted");
  if (response.canceled()) return base::fail(Code::kUnavailable, response.cancel_reason());
  return response;
}

}  // namespace

base::Error epoch_over() {
  return {Code::kUnavailable, "the state in etcd was replaced by another; start this server anew to go on with it", {}};
}

base::Co<> EtcdFollower::run() {
  const auto self = shared_from_this();
  while (!link_->closed()) {
    auto ended = co_await watch_until_broken();
    stream_.reset();
    if (link_->closed()) break;
    if (ended.error().code == Code::kFailedPrecondition) {
      link_->close(epoch_over());
      break;
    }
    if (ended.error().code == Code::kOutOfRange) ended = co_await skip_what_is_gone();
    if (ended || link_->closed()) continue;
    if (backoff_.failures() == 0) base::log::warn("the watch of etcd broke ({}); trying again", ended.error().message);
    link_->client->leave();
    CO_RETURN_IF_ERROR(co_await link_->pause(backoff_.next(random_)));
  }
  co_return base::Result<>{};
}

// Returns with an error only.
base::Co<> EtcdFollower::watch_until_broken() {
  WatchAssembler assembler(link_->codec, seen_);
  CO_ASSIGN_OR_RETURN(const auto stream, co_await link_->client->open("/etcdserverpb.Watch/Watch"));
  stream_ = stream;
  CO_RETURN_IF_ERROR(co_await stream->send(watch_after(link_->codec.layout(), seen_).SerializeAsString()));
  for (;;) {
    CO_ASSIGN_OR_RETURN(const auto bytes, co_await stream->receive());
    CO_ASSIGN_OR_RETURN(const auto response, parse(bytes));
    CO_ASSIGN_OR_RETURN(const auto commits, assembler.add(response));
    if (link_->closed()) co_return base::fail(Code::kUnavailable, "the store was closed");
    seen_ = assembler.seen();
    for (const auto& commit : commits) {
      if (commit->revision > link_->feed->newest()) link_->feed->push(commit);
    }
    if (backoff_.failures() > 0) base::log::info("the watch of etcd goes on");
    backoff_.reset();
  }
}

base::Co<> EtcdFollower::skip_what_is_gone() {
  CO_ASSIGN_OR_RETURN(const auto newest, co_await ask_for_newest());
  if (newest.revision > link_->feed->newest()) {
    base::log::warn("etcd no longer has what changed up to revision {}; listing again", newest.revision);
    link_->feed->skip_to(newest.revision);
  }
  seen_ = newest.etcd_revision;
  co_return base::Result<>{};
}

base::Co<EtcdFollower::Newest> EtcdFollower::ask_for_newest() {
  const auto self = shared_from_this();
  CO_ASSIGN_OR_RETURN(const auto response, co_await link_->client->call<etcdserverpb::TxnResponse>(
                                               kTxnMethod, link_->codec.encode_asking_newest(), kAnswerLimit));
  if (!response.succeeded()) {
    link_->close(epoch_over());
    co_return std::unexpected(epoch_over());
  }
  co_return Newest{link_->codec.newest_of(response.responses(0).response_range()), response.header().revision()};
}

base::Co<> EtcdFollower::wait_until(Revision revision) {
  const auto self = shared_from_this();
  const auto deadline = link_->clock.now() + kAnswerLimit;
  while (link_->feed->newest() < revision) {
    if (link_->feed->closed()) co_return std::unexpected(*link_->feed->closed());
    const auto waited = co_await base::with_timeout(link_->clock, kWatchLag, "the watch of etcd", link_->feed->wait());
    if (waited) continue;
    if (waited.error().code != Code::kDeadlineExceeded) co_return waited;
    if (link_->clock.now() >= deadline) {
      co_return base::fail(Code::kUnavailable,
                           "etcd has the change, but this server can't follow etcd now: read before you try again");
    }
    if (stream_) stream_->finish(base::Error{Code::kUnavailable, "too slow", {}});
  }
  co_return base::Result<>{};
}

}  // namespace orchion::control::store
