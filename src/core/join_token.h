#pragma once

// What `orchion node invite` prints and `orchion node join` reads. Pure.

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::core {

// "orj_SECRET_FINGERPRINT": all that a machine needs to join, besides an address.
struct JoinToken {
  std::string secret;                 // of the invitation
  std::string authority_fingerprint;  // SHA-256 of the certificate of the cluster's authority, 64 hexadecimal digits

  bool operator==(const JoinToken&) const = default;
};

std::string to_text(const JoinToken& token);

// kInvalidArgument, without the text: it is a secret.
base::Result<JoinToken> parse_join_token(std::string_view text);

}  // namespace orchion::core
