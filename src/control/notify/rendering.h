#pragma once

// A notification as each kind of receiver takes it.

#include "base/clock.h"
#include "control/notify/outbound.h"
#include "v1/channels.pb.h"

namespace orchion::control::notify {

// `id` is the same on every attempt, `now` is that of this one.
OutboundMessage render(const v1::ChannelSpec& channel, const std::string& id, const v1::Notification& notification,
                       base::WallTime now);

}  // namespace orchion::control::notify
