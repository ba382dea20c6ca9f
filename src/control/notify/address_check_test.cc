#include "control/notify/address_check.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace orchion::control::notify {
namespace {

Reach reach_of_text(const char* text) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  if (::inet_pton(AF_INET, text, &four.sin_addr) == 1) return reach_of(&four, sizeof(four));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  EXPECT_EQ(::inet_pton(AF_INET6, text, &six.sin6_addr), 1) << text;
  return reach_of(&six, sizeof(six));
}

TEST(AddressCheck, PublicAddresses) {
  for (const auto* text :
       {"1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.0.1", "100.128.0.1", "223.255.255.255",
        "2606:4700::1111", "2001:4860:4860::8888", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"})
    EXPECT_EQ(reach_of_text(text), Reach::kPublic) << text;
}

TEST(AddressCheck, PrivateOnesAreForWhoAsks) {
  for (const auto* text :
       {"127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1",
        "fd00::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.1.1.1", "64:ff9b::10.0.0.1", "2002:7f00:1::"})
    EXPECT_EQ(reach_of_text(text), Reach::kPrivate) << text;
}

TEST(AddressCheck, OthersAreNeverConnectedTo) {
  for (const auto* text : {"0.0.0.0",
                           "0.1.2.3",
                           "169.254.169.254",
                           "169.254.0.1",
                           "224.0.0.1",
                           "239.1.1.1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "192.0.2.1",
                           "192.0.0.192",
                           "::",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1",
                           "::ffff:169.254.169.254",
                           "::169.254.169.254",
                           "64:ff9b::a9fe:a9fe",
                           "fd00:ec2::254",
                           "2001:db8::1",
                           "2001::1",
                           "2002:a9fe:a9fe::",
                           "64:ff9b:1::1",
                           "100::1"})
    EXPECT_EQ(reach_of_text(text), Reach::kNever) << text;
}

TEST(AddressCheck, WhatIsNoAddressOfTheInternet) {
  sockaddr_storage other{};
  other.ss_family = AF_UNIX;
  EXPECT_EQ(reach_of(&other, sizeof(other)), Reach::kNever);
  EXPECT_EQ(reach_of(&other, 0), Reach::kNever);
}

}  // namespace
}  // namespace orchion::control::notify
