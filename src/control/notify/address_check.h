#pragma once

// Which addresses a message may go to. Asked of the address that is really connected to, after names were resolved, so
// that a name which leads elsewhere the second time leads nowhere.

#include <sys/socket.h>

namespace orchion::control::notify {

enum class Reach {
  kPublic,
  kPrivate,  // loopback, private and shared ranges: where the channel allows it
  kNever,    // link-local (metadata services of clouds), multicast, unspecified, reserved
};

// Of a sockaddr with an IPv4 or IPv6 address; IPv4 addresses within IPv6 ones count as what they are. Anything else is
// kNever. Source: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
Reach reach_of(const void* address, socklen_t size);

}  // namespace orchion::control::notify
