#include "control/notify/channel_controller.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

#include "control/notify/rendering.h"
#include "control/notify/subject_state.h"
#include "core/events.h"
#include "core/timestamps.h"

namespace orchion::control::notify {

namespace {

constexpr int kChannelsAtOnce = 8;
constexpr std::size_t kEventsAtOnce = 100;
constexpr std::size_t kEventsMax = 10'000;
constexpr char kMemoryPrefix[] = "notify/";

std::string memory_key(const std::string& channel_uid) {
  return kMemoryPrefix + channel_uid;
}

store::Revision revision_of(const std::shared_ptr<const v1::Event>& event) {
  return event->meta().revision();
}

v1::Delivery delivery_of(const v1::Channel& channel, const std::string& id, v1::Notification notification) {
  v1::Delivery delivery;
  delivery.mutable_meta()->set_name(id);
  delivery.mutable_spec()->set_channel_uid(channel.meta().uid());
  *delivery.mutable_spec()->mutable_notification() = std::move(notification);
  return delivery;
}

void keep_earlier(std::optional<base::WallTime>& earliest, std::optional<base::WallTime> other) {
  if (other && (!earliest || *other < *earliest)) earliest = other;
}

}  // namespace

ChannelController::ChannelController(base::Executor executor, store::ObjectStore& objects, base::Clock& clock,
                                     base::Random random, Outbound& outbound)
    : objects_(objects),
      clock_(clock),
      random_(random),
      outbound_(outbound),
      loop_(executor, clock, base::Random(random_.next()), "channels",
            [this](controllers::Key key) { return step(std::move(key)); }) {}

base::Co<> ChannelController::start() {
  subscription_ = objects_.subscribe([this](const auto& commit) { on_commit(*commit); });
  const auto known = view().revision();
  CO_ASSIGN_OR_RETURN(const auto stored, co_await objects_.list(kMemoryPrefix));
  for (const auto& entry : stored.entries) {
    Followed one;
    if (!one.memory.ParseFromString(entry.value))
      co_return base::fail(base::Code::kDataLoss, "what is remembered of a channel can't be read; restore a backup");
    one.stored = entry.revision;
    one.looked = one.memory.seen();
    followed_.insert_or_assign(entry.key.substr(sizeof(kMemoryPrefix) - 1), std::move(one));
  }
  // Those of commits since `known` came to the subscription.
  std::deque<EventPointer> before;
  for (const auto& [name, event] : view().events().all())
    if (event->meta().revision() <= known) before.push_back(event);
  std::ranges::sort(before, {}, revision_of);
  events_.insert(events_.begin(), before.begin(), before.end());
  for (const auto& [name, channel] : view().channels().all()) followed(*channel);
  // Under any name: what belongs to a channel that is gone.
  loop_.enqueue({"Gone", {}});
  for (const auto& [name, channel] : view().channels().all()) enqueue(name.name);
  drop_looked_at();
  loop_.start(kChannelsAtOnce);
  co_return base::Result<>{};
}

base::Co<> ChannelController::shutdown() {
  outbound_.stop();
  auto ended = co_await loop_.shutdown();
  subscription_.reset();
  co_return ended;
}

base::Co<> ChannelController::send_test(v1::Channel channel) {
  const auto now = clock_.wall();
  auto message = render(channel.spec(), new_id(), test_notification(channel.meta().name(), now), now);
  co_return co_await send(std::move(message));
}

bool ChannelController::Followed::awaits_recovery() const {
  return std::ranges::any_of(memory.told(), [](const auto& told) { return told.has_event(); });
}

void ChannelController::on_commit(const store::ObjectStore::Commit& commit) {
  bool events = false;
  bool states = false;
  for (const auto& change : commit.changes) {
    if (change.kind == "Event" && !change.before && !view().channels().all().empty()) {
      events_.push_back(std::static_pointer_cast<const v1::Event>(change.after));
      events = true;
    } else if (change.kind == "Channel") {
      // At once, so that what happens next is kept for it.
      if (change.after) followed(static_cast<const v1::Channel&>(*change.after));
      enqueue(change.name.name);
    } else if (change.kind == "Service" || change.kind == "Task" || change.kind == "Node" || change.kind == "Stack") {
      states = true;
    }
  }
  while (events_.size() > kEventsMax) events_.pop_front();
  for (const auto& [name, channel] : view().channels().all()) {
    const auto found = followed_.find(channel->meta().uid());
    if (events || (states && found != followed_.end() && found->second.awaits_recovery())) enqueue(name.name);
  }
}

base::Co<std::optional<base::Time>> ChannelController::step(controllers::Key key) {
  const auto channel = view().channels().find(key.name.name);
  if (!channel) {
    CO_RETURN_IF_ERROR(co_await forget(key.name.name));
    co_return std::optional<base::Time>();
  }
  CO_ASSIGN_OR_RETURN(auto again, co_await follow(channel));
  CO_ASSIGN_OR_RETURN(const auto next, co_await deliver(channel));
  keep_earlier(again, next);
  if (!again) co_return std::optional<base::Time>();
  const auto wait = std::max(base::Duration::zero(), base::Duration(*again - clock_.wall()));
  co_return std::optional(clock_.now() + wait);
}

ChannelController::Followed& ChannelController::followed(const v1::Channel& channel) {
  auto& one = followed_[channel.meta().uid()];
  one.name = channel.meta().name();
  // What happened before there was the channel isn't told.
  if (one.stored == 0 && one.looked == 0) one.looked = channel.meta().revision();
  return one;
}

std::vector<ChannelController::EventPointer> ChannelController::events_after(store::Revision looked) const {
  std::vector<EventPointer> events;
  for (auto it = std::ranges::upper_bound(events_, looked, {}, revision_of); it != events_.end();) {
    const auto end = std::ranges::upper_bound(it, events_.end(), revision_of(*it), {}, revision_of);
    if (!events.empty() && events.size() + static_cast<std::size_t>(end - it) > kEventsAtOnce) break;
    events.insert(events.end(), it, end);
    it = end;
  }
  return events;
}

void ChannelController::drop_looked_at() {
  auto least = view().revision();
  for (const auto& [uid, one] : followed_) least = std::min(least, one.looked);
  while (!events_.empty() && revision_of(events_.front()) <= least) events_.pop_front();
}

std::size_t ChannelController::pending(const std::string& channel_uid) const {
  const auto& all = view().deliveries().all();
  return static_cast<std::size_t>(
      std::ranges::count_if(all, [&](const auto& entry) { return entry.second->spec().channel_uid() == channel_uid; }));
}

// In the order in which they were made when sorted.
std::string ChannelController::new_id() {
  last_id_ = std::max(last_id_ + 1, static_cast<std::uint64_t>(clock_.wall().time_since_epoch().count()));
  return fmt::format("msg_{:016x}{}", last_id_, random_.text(16));
}

base::Co<std::optional<base::WallTime>> ChannelController::follow(std::shared_ptr<const v1::Channel> channel) {
  auto& state = followed(*channel);
  const auto events = events_after(state.looked);
  const auto all = events.empty() || events.back() == events_.back();
  const auto looked = all ? view().revision() : revision_of(events.back());
  auto plan = plan_channel(
      {*channel, state.memory, events, [this](const std::string& about) { return is_good(about); }}, clock_.wall());
  plan.memory.set_seen(state.memory.seen());
  plan.memory.set_generation(channel->meta().generation());
  const bool changed = !plan.notifications.empty() || state.stored == 0 ||
                       plan.memory.SerializeAsString() != state.memory.SerializeAsString();
  if (changed) {
    plan.memory.set_seen(looked);
    store::Transaction transaction;
    transaction.expect(memory_key(channel->meta().uid()), state.stored);
    transaction.put(memory_key(channel->meta().uid()), plan.memory.SerializeAsString());
    transaction.expect_kept(store::spec_key(*channel), channel->meta().revision());
    auto count = pending(channel->meta().uid());
    const auto room = kPendingMax - std::min(kPendingMax, count);
    for (auto& notification : plan.notifications | std::views::take(room))
      store::create(transaction, delivery_of(*channel, new_id(), std::move(notification)));
    v1::Channel counted = *channel;
    count += std::min(room, plan.notifications.size());
    counted.mutable_status()->set_pending(static_cast<std::uint32_t>(count));
    counted.mutable_status()->set_failed(counted.status().failed() + plan.notifications.size() -
                                         std::min(room, plan.notifications.size()));
    if (!plan.notifications.empty() && transaction.operations.size() < store::kOperationsMax)
      store::put_status(transaction, counted);
    CO_ASSIGN_OR_RETURN(state.stored, co_await objects_.commit(std::move(transaction)));
    state.memory = std::move(plan.memory);
  }
  state.looked = looked;
  drop_looked_at();
  if (!all) keep_earlier(plan.look_again, clock_.wall());
  co_return plan.look_again;
}

base::Co<std::optional<base::WallTime>> ChannelController::deliver(std::shared_ptr<const v1::Channel> channel) {
  std::shared_ptr<const v1::Delivery> first;
  std::size_t count = 0;
  const auto due = [](const v1::Delivery& delivery) { return core::from_timestamp(delivery.status().next_at()); };
  for (const auto& [name, delivery] : view().deliveries().all()) {
    if (delivery->spec().channel_uid() != channel->meta().uid()) continue;
    ++count;
    if (!first || due(*delivery) < due(*first)) first = delivery;
  }
  if (!first) co_return std::optional<base::WallTime>();
  if (clock_.wall() < due(*first)) co_return std::optional(due(*first));
  auto message = render(channel->spec(), first->meta().name(), first->spec().notification(), clock_.wall());
  auto sent = co_await send(std::move(message));
  if (!sent && sent.error().code == base::Code::kCancelled) co_return std::unexpected(sent.error());
  CO_RETURN_IF_ERROR(co_await note_result(channel->meta().name(), first, std::move(sent)));
  co_return std::optional(clock_.wall());
}

base::Co<> ChannelController::note_result(std::string channel, std::shared_ptr<const v1::Delivery> delivery,
                                          base::Result<> sent) {
  const auto now = clock_.wall();
  store::Transaction transaction;
  const auto present = view().channels().find(channel);
  // Its channel is gone, and it with it, or will be.
  if (!present || present->meta().uid() != delivery->spec().channel_uid()) co_return base::Result<>{};
  v1::Channel noted = *present;
  auto& status = *noted.mutable_status();
  *status.mutable_last_at() = core::to_timestamp(now);
  status.set_last_result(sent ? "delivered" : sent.error().message);
  const auto attempts = delivery->status().attempts() + 1;
  const bool given_up = !sent && (attempts > std::size(kRetries) || sent.error().code == base::Code::kNotFound);
  if (sent || given_up) {
    store::remove(transaction, *delivery);
    status.set_pending(static_cast<std::uint32_t>(pending(delivery->spec().channel_uid()) - 1));
    sent ? status.set_delivered(status.delivered() + 1) : status.set_failed(status.failed() + 1);
  } else {
    v1::Delivery later = *delivery;
    later.mutable_status()->set_attempts(attempts);
    *later.mutable_status()->mutable_next_at() = core::to_timestamp(now + kRetries[attempts - 1]);
    store::put_status(transaction, later);
    status.set_pending(static_cast<std::uint32_t>(pending(delivery->spec().channel_uid())));
  }
  store::put_status(transaction, noted);
  if (given_up) {
    const auto text = fmt::format("a message was given up after {} attempt{}: {}; `orchion channel test {}` tries anew",
                                  attempts, attempts == 1 ? "" : "s", sent.error().message, channel);
    store::create(transaction, core::make_event({v1::Event::WARNING, "Channel", "", channel, present->meta().uid(),
                                                 "ChannelFailed", text, ""},
                                                now, random_));
  }
  CO_RETURN_IF_ERROR(co_await objects_.commit(std::move(transaction)));
  co_return base::Result<>{};
}

// What belongs to channels that are gone.
base::Co<> ChannelController::forget(std::string name) {
  std::erase_if(followed_, [&](const auto& entry) {
    return entry.second.name == name && view().channels().find_uid(entry.first) == nullptr;
  });
  const auto is_gone = [this](const std::string& uid) { return view().channels().find_uid(uid) == nullptr; };
  CO_ASSIGN_OR_RETURN(const auto stored, co_await objects_.list(kMemoryPrefix));
  store::Transaction transaction;
  for (const auto& entry : stored.entries)
    if (is_gone(entry.key.substr(sizeof(kMemoryPrefix) - 1))) transaction.remove(entry.key);
  for (const auto& [key, delivery] : view().deliveries().all()) {
    if (transaction.operations.size() + 2 > store::kOperationsMax) break;
    if (is_gone(delivery->spec().channel_uid())) store::remove(transaction, *delivery);
  }
  if (transaction.operations.empty()) co_return base::Result<>{};
  CO_RETURN_IF_ERROR(co_await objects_.commit(std::move(transaction)));
  co_return co_await forget(std::move(name));
}

base::Co<> ChannelController::send(OutboundMessage message) {
  if (!senders_) senders_ = std::make_unique<base::WorkerPool>(kChannelsAtOnce);
  auto job = [this, message = std::move(message)] { return outbound_.send(message); };
  co_return co_await senders_->run(std::move(job));
}

std::optional<bool> ChannelController::is_good(const std::string& about) const {
  return is_subject_good(view(), about);
}

}  // namespace orchion::control::notify
