#include "control/notify/address_check.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <netinet/in.h>

namespace orchion::control::notify {

namespace {

struct Range4 {
  std::uint32_t begin;
  int bits;
  Reach reach;
};

constexpr Range4 kRanges4[] = {
    {0x00000000, 8, Reach::kNever},     // this network
    {0x0a000000, 8, Reach::kPrivate},   // 10.0.0.0
    {0x64400000, 10, Reach::kPrivate},  // 100.64.0.0, shared by a provider's customers
    {0x7f000000, 8, Reach::kPrivate},   // loopback
    {0xa9fe0000, 16, Reach::kNever},    // link-local, 169.254.169.254 in it
    {0xac100000, 12, Reach::kPrivate},  // 172.16.0.0
    {0xc0000000, 24, Reach::kNever},    // protocol assignments
    {0xc0000200, 24, Reach::kNever},    // documentation
    {0xc0586300, 24, Reach::kNever},    // 6to4 relays
    {0xc0a80000, 16, Reach::kPrivate},  // 192.168.0.0
    {0xc6120000, 15, Reach::kPrivate},  // benchmarks between networks of one's own
    {0xc6336400, 24, Reach::kNever},    // documentation
    {0xcb007100, 24, Reach::kNever},    // documentation
    {0xe0000000, 3, Reach::kNever},     // multicast, reserved, broadcast
};

Reach reach_of_4(std::uint32_t address) {
  for (const auto& range : kRanges4)
    if ((address ^ range.begin) >> (32 - range.bits) == 0) return range.reach;
  return Reach::kPublic;
}

std::uint32_t number_at(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

bool is_zero(const std::uint8_t* bytes, int count) {
  for (int i = 0; i < count; ++i)
    if (bytes[i] != 0) return false;
  return true;
}

Reach reach_of_6(const std::uint8_t* bytes) {
  if (is_zero(bytes, 15) && bytes[15] == 1) return Reach::kPrivate;
  if (is_zero(bytes, 10) && bytes[10] == 0xff && bytes[11] == 0xff) return reach_of_4(number_at(bytes + 12));
  if (number_at(bytes) == 0x0064ff9b && is_zero(bytes + 4, 8)) return reach_of_4(number_at(bytes + 12));  // NAT64
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return reach_of_4(number_at(bytes + 2));                      // 6to4
  if ((bytes[0] & 0xfe) == 0xfc) {
    // fd00:ec2::254, a metadata service.
    if (number_at(bytes) == 0xfd000ec2 && is_zero(bytes + 4, 10)) return Reach::kNever;
    return Reach::kPrivate;
  }
  // What is given out is 2000::/3; of that Teredo, documentation and other special ranges are not.
  if ((bytes[0] & 0xe0) != 0x20) return Reach::kNever;
  if (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 0x02) return Reach::kNever;
  if (number_at(bytes) == 0x20010db8) return Reach::kNever;
  return Reach::kPublic;
}

}  // namespace

Reach reach_of(const void* address, socklen_t size) {
  sockaddr_storage any{};
  std::memcpy(&any, address, std::min<std::size_t>(size, sizeof(any)));
  if (any.ss_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &any, sizeof(four));
    return reach_of_4(ntohl(four.sin_addr.s_addr));
  }
  if (any.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &any, sizeof(six));
    return reach_of_6(six.sin6_addr.s6_addr);
  }
  return Reach::kNever;
}

}  // namespace orchion::control::notify
