#include "control/notify/planner.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/channels.h"
#include "core/timestamps.h"

namespace orchion::control::notify {

namespace {

// What has been good for so long is called good again: as long as it takes a crash loop to count as ended.
constexpr auto kGoodFor = std::chrono::seconds(10);
// Of the events of one message.
constexpr int kEventsMax = 20;
// What is remembered of a channel; beyond it the oldest is forgotten.
constexpr int kToldMax = 200;
// Of one plan beside those of single events; the rest follows in the next.
constexpr std::size_t kNotificationsMax = 100;

std::string service_of(const v1::Event& event) {
  if (event.kind() == "Service") return event.subject();
  if (event.kind() != "Task") return "";
  const auto suffix = event.subject().rfind('.');
  const auto slot = suffix == std::string::npos || suffix == 0 ? suffix : event.subject().rfind('.', suffix - 1);
  return event.subject().substr(0, slot);
}

// "shop/web", for people.
std::string short_subject(const v1::Event& event) {
  const auto service = service_of(event);
  const auto& name = service.empty() ? event.subject() : service;
  return event.meta().stack().empty() || event.kind() == "Stack" ? name : event.meta().stack() + "/" + name;
}

template <class Patterns>
bool fits_any(const Patterns& patterns, const std::string& text) {
  return std::ranges::any_of(patterns, [&](const auto& pattern) { return core::fits_pattern(pattern, text); });
}

bool fits(const v1::ChannelRule& rule, const v1::Event& event) {
  const auto least = rule.has_severity()      ? rule.severity()
                     : rule.reasons().empty() ? v1::Event::WARNING
                                              : v1::Event::INFO;
  if (event.severity() < least) return false;
  if (!rule.reasons().empty() && !fits_any(rule.reasons(), event.reason())) return false;
  const auto& stack = event.meta().stack();
  if (!rule.stacks().empty() && (stack.empty() || !fits_any(rule.stacks(), stack))) return false;
  const auto service = service_of(event);
  return rule.services().empty() || (!service.empty() && fits_any(rule.services(), service));
}

std::string line_of(const v1::Event& event) {
  return fmt::format("{}: {}: {}", event.reason(), short_subject(event), event.message());
}

v1::Notification notification_of(const std::string& channel, const std::vector<v1::Event>& events, std::uint32_t more,
                                 base::WallTime now) {
  v1::Notification notification;
  *notification.mutable_timestamp() = core::to_timestamp(now);
  auto& data = *notification.mutable_data();
  data.set_channel(channel);
  data.set_more(more);
  std::set<std::string> reasons;
  std::vector<std::string> lines;
  for (const auto& event : events) {
    *data.add_events() = event;
    data.set_severity(std::max(data.severity(), event.severity()));
    reasons.insert(event.reason());
    lines.push_back(line_of(event));
  }
  if (events.size() == 1) {
    notification.set_type("event");
    data.set_title(fmt::format("{}: {}", events[0].reason(), short_subject(events[0])));
    lines = {events[0].message()};
    if (more > 0) lines.push_back(fmt::format("({} more like it were held back)", more));
  } else {
    notification.set_type("events");
    data.set_title(fmt::format("{} events: {}", events.size() + more, fmt::join(reasons, ", ")));
    if (more > 0) lines.push_back(fmt::format("and {} more", more));
  }
  data.set_text(fmt::format("{}", fmt::join(lines, "\n")));
  return notification;
}

class ChannelPlanner {
 public:
  ChannelPlanner(const ChannelFacts& facts, base::WallTime now) : facts_(facts), now_(now) {
    plan_.memory = facts.memory;
    rules_.assign(facts.channel.spec().rules().begin(), facts.channel.spec().rules().end());
    if (rules_.empty()) rules_.emplace_back();
  }

  ChannelPlan run() {
    for (const auto& event : facts_.events) take_in(*event);
    send_groups();
    look_after_told();
    return std::move(plan_);
  }

 private:
  void wake(base::WallTime when) {
    if (!plan_.look_again || when < *plan_.look_again) plan_.look_again = when;
  }

  bool is_full() const { return plan_.notifications.size() >= kNotificationsMax; }

  void send(const std::vector<v1::Event>& events, std::uint32_t more) {
    plan_.notifications.push_back(notification_of(facts_.channel.meta().name(), events, more, now_));
  }

  void take_in(const v1::Event& event) {
    // That a channel fails is not said on it.
    if (event.kind() == "Channel" && event.subject() == facts_.channel.meta().name()) return;
    const auto rule = std::ranges::find_if(rules_, [&](const auto& candidate) { return fits(candidate, event); });
    if (rule == rules_.end()) return;
    const auto index = static_cast<std::uint32_t>(rule - rules_.begin());
    auto* told = find_told(index, event);
    if (told != nullptr) told->clear_good_since();
    const bool held =
        told != nullptr && now_ < core::from_timestamp(told->at()) + core::from_duration(rule->cool_down());
    if (held) return told->set_held(told->held() + 1);
    const auto more = remember(told, index, event);
    if (core::from_duration(rule->group_for()) > base::Duration::zero()) return collect(index, event, more);
    send({event}, more);
  }

  v1::ChannelMemory::Told* find_told(std::uint32_t rule, const v1::Event& event) {
    const auto about = subject_of(event);
    for (auto& told : *plan_.memory.mutable_told())
      if (told.rule() == rule && told.reason() == event.reason() && told.about() == about) return &told;
    return nullptr;
  }

  // How many were held back since the last time.
  std::uint32_t remember(v1::ChannelMemory::Told* told, std::uint32_t index, const v1::Event& event) {
    const auto& rule = rules_[index];
    const bool recovers = rule.recovery() && event.severity() >= v1::Event::WARNING;
    if (!recovers && core::from_duration(rule.cool_down()) <= base::Duration::zero()) return 0;
    if (told == nullptr) {
      if (plan_.memory.told_size() >= kToldMax) forget_oldest();
      told = plan_.memory.add_told();
      told->set_rule(index);
      told->set_about(subject_of(event));
      told->set_reason(event.reason());
    }
    const auto held = told->held();
    told->set_held(0);
    *told->mutable_at() = core::to_timestamp(now_);
    if (recovers) *told->mutable_event() = event;
    return held;
  }

  void forget_oldest() {
    auto& told = *plan_.memory.mutable_told();
    const auto at = [](const auto& one) { return core::from_timestamp(one.at()); };
    told.erase(std::ranges::min_element(told, {}, at));
  }

  void collect(std::uint32_t index, const v1::Event& event, std::uint32_t more) {
    auto& groups = *plan_.memory.mutable_groups();
    auto group = std::ranges::find_if(groups, [&](const auto& candidate) { return candidate.rule() == index; });
    if (group == groups.end()) {
      auto& made = *groups.Add();
      made.set_rule(index);
      *made.mutable_due() = core::to_timestamp(now_ + core::from_duration(rules_[index].group_for()));
      group = std::prev(groups.end());
    }
    if (group->events_size() < kEventsMax) {
      *group->add_events() = event;
    } else {
      ++more;
    }
    group->set_more(group->more() + more);
  }

  void send_groups() {
    auto& groups = *plan_.memory.mutable_groups();
    for (auto group = groups.begin(); group != groups.end();) {
      const auto due = core::from_timestamp(group->due());
      if (now_ < due || is_full()) {
        wake(due);
        ++group;
      } else {
        send({group->events().begin(), group->events().end()}, group->more());
        group = groups.erase(group);
      }
    }
  }

  void look_after_told() {
    auto& told = *plan_.memory.mutable_told();
    std::set<std::pair<std::uint32_t, std::string>> recovered;
    for (auto& one : told) {
      if (!one.has_event()) continue;
      if (is_good_again(one) && recovered.emplace(one.rule(), one.about()).second) say_recovered(one.event());
    }
    for (auto one = told.begin(); one != told.end();) {
      if (recovered.contains({one->rule(), one->about()})) one->clear_event();
      one = is_over(*one) ? told.erase(one) : std::next(one);
    }
  }

  bool is_good_again(v1::ChannelMemory::Told& told) {
    const auto good = facts_.is_good(told.about());
    if (!good || told.rule() >= rules_.size() || !rules_[told.rule()].recovery()) {
      told.clear_event();
      return false;
    }
    if (!*good) {
      told.clear_good_since();
      return false;
    }
    if (!told.has_good_since()) *told.mutable_good_since() = core::to_timestamp(now_);
    const auto since = core::from_timestamp(told.good_since());
    const bool is_time = now_ >= since + kGoodFor && !is_full();
    if (!is_time) wake(since + kGoodFor);
    return is_time;
  }

  void say_recovered(const v1::Event& event) {
    auto notification = notification_of(facts_.channel.meta().name(), {event}, 0, now_);
    notification.set_type("recovered");
    auto& data = *notification.mutable_data();
    data.set_severity(v1::Event::INFO);
    data.set_title("Recovered: " + short_subject(event));
    data.set_text(fmt::format("{} is good again. Before: {}", short_subject(event), event.message()));
    plan_.notifications.push_back(std::move(notification));
  }

  // Neither holds anything back any longer nor waits for a recovery.
  bool is_over(const v1::ChannelMemory::Told& told) const {
    if (told.has_event()) return false;
    if (told.rule() >= rules_.size()) return true;
    return now_ >= core::from_timestamp(told.at()) + core::from_duration(rules_[told.rule()].cool_down());
  }

  const ChannelFacts& facts_;
  base::WallTime now_;
  std::vector<v1::ChannelRule> rules_;
  ChannelPlan plan_;
};

}  // namespace

ChannelPlan plan_channel(const ChannelFacts& facts, base::WallTime now) {
  return ChannelPlanner(facts, now).run();
}

std::string subject_of(const v1::Event& event) {
  const auto service = service_of(event);
  if (!service.empty()) return fmt::format("Service/{}/{}", event.meta().stack(), service);
  return fmt::format("{}/{}/{}", event.kind(), event.meta().stack(), event.subject());
}

v1::Notification test_notification(const std::string& channel, base::WallTime now) {
  v1::Notification notification;
  notification.set_type("test");
  *notification.mutable_timestamp() = core::to_timestamp(now);
  auto& data = *notification.mutable_data();
  data.set_channel(channel);
  data.set_title("Test of the channel " + channel);
  data.set_text("Messages of orchion arrive here.");
  return notification;
}

}  // namespace orchion::control::notify
