#pragma once

// Channels on which people are told what happens: what may be stored, and what may be shown of it.

#include <string>
#include <string_view>

#include "base/error.h"
#include "v1/channels.pb.h"

namespace orchion::core {

// "webhook", "ntfy", …; empty where no target is set.
std::string channel_kind(const v1::ChannelSpec& spec);

// The host, and port where one is named, of where the channel leads; empty where that is no address.
std::string channel_host(const v1::ChannelSpec& spec);

// Puts what `present` has in the place of each secret of `spec` that reads "<redacted>": who reads a channel and writes
// it again changes no secret. What has no counterpart stays as it is.
void keep_secrets(const v1::ChannelSpec& present, v1::ChannelSpec& spec);

// kInvalidArgument with every violation, or nothing. The pointers are those of a PutChannelRequest:
// "/spec/webhook/url". No message holds a secret.
base::Result<> validate_channel(std::string_view name, const v1::ChannelSpec& spec);

// The bytes of "whsec_…"; kInvalidArgument says what one looks like.
base::Result<std::string> parse_webhook_secret(std::string_view text);

// Whether `text` fits a pattern in which * stands for any characters and ? for one.
bool fits_pattern(std::string_view pattern, std::string_view text);

}  // namespace orchion::core
