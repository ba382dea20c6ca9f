#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "v1/channels.pb.h"

namespace orchion::control::notify {

// The value of the header webhook-signature by Standard Webhooks: "v1," and the HMAC-SHA256 of "id.seconds.body" as
// base64, once for each secret, with blanks between. Secrets that are none are passed over.
// Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
std::string webhook_signature(const v1::WebhookTarget& target, std::string_view id, base::WallTime now,
                              std::string_view body);

}  // namespace orchion::control::notify
