#include "daemon/underlay.h"

#include <memory>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/file.h"

namespace orchion::daemon {

namespace {

// From TEST-NET-1: nobody's, so only the default route leads there.
constexpr char kElsewhere[] = "192.0.2.1";
constexpr char kAnyPort[] = "9";

struct FreeAddresses {
  void operator()(addrinfo* found) const { ::freeaddrinfo(found); }
};

}  // namespace

std::optional<std::string> address_towards(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), kAnyPort, &hints, &found) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
  // Connecting a datagram socket chooses the route and the address, and sends nothing.
  const base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), addresses->ai_addr, addresses->ai_addrlen) != 0) return std::nullopt;
  sockaddr_in own{};
  socklen_t size = sizeof(own);
  void* const raw = &own;
  if (::getsockname(fd.get(), static_cast<sockaddr*>(raw), &size) != 0) return std::nullopt;
  char text[INET_ADDRSTRLEN] = {};
  if (::inet_ntop(AF_INET, &own.sin_addr, text, sizeof(text)) == nullptr) return std::nullopt;
  const std::string address = text;
  if (address.starts_with("127.")) return std::nullopt;
  return address;
}

std::optional<std::string> default_address() {
  return address_towards(kElsewhere);
}

}  // namespace orchion::daemon
