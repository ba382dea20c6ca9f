#pragma once

// What a channel tells of the events that came, by its rules. Pure.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "v1/channels.pb.h"

namespace orchion::control::notify {

struct ChannelFacts {
  const v1::Channel& channel;
  const v1::ChannelMemory& memory;
  std::vector<std::shared_ptr<const v1::Event>> events;  // new ones, in the order of their commits

  // Whether what a key names ("Service/shop/web", see subject_of()) is good now; nullopt where nobody can say, or it is
  // gone.
  std::function<std::optional<bool>(const std::string&)> is_good;
};

struct ChannelPlan {
  v1::ChannelMemory memory;  // as it is to be; `seen` and `generation` are the caller's
  std::vector<v1::Notification> notifications;
  std::optional<base::WallTime> look_again;  // though nothing happens until then
};

ChannelPlan plan_channel(const ChannelFacts& facts, base::WallTime now);

// What an event is about, so that all tasks of a service count as one: "Service/shop/web", "Node//one".
std::string subject_of(const v1::Event& event);

// The message of `orchion channel test`.
v1::Notification test_notification(const std::string& channel, base::WallTime now);

}  // namespace orchion::control::notify
