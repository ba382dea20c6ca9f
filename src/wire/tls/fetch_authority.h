#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace orchion::wire::tls {

struct AuthorityFetch {
  std::string host;  // an address or a name
  std::uint16_t port = 0;
  std::string fingerprint;  // of the authority, as Certificate::fingerprint
  base::Duration limit = std::chrono::seconds(10);
};

// The authority's certificate, PEM, from what the server presents in a TLS handshake. Nothing is trusted but the
// fingerprint. Blocks for `limit` at most, besides a look-up of the name. Every failure names host and port and what to
// do: kUnavailable: no way there, or nobody listens; kDeadlineExceeded: no answer; kUnauthenticated: another authority;
// kFailedPrecondition: the server's certificate isn't valid at `now`, which means that a clock is wrong.
base::Result<std::string> fetch_authority(const AuthorityFetch& fetch, base::WallTime now);

}  // namespace orchion::wire::tls
