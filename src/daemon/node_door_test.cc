#include "daemon/node_door.h"

#include <gtest/gtest.h>

namespace orchion::daemon {
namespace {

TEST(NodeDoor, IsWhereTheServerWasTold) {
  const struct {
    std::string advertise, nodes, listen, address, underlay;
  } cases[] = {
      {"", "", "", "", ""},
      {"192.168.1.5", "", "192.168.1.5:4603", "192.168.1.5:4603", "192.168.1.5"},
      {"192.168.1.5:7000", "", "192.168.1.5:7000", "192.168.1.5:7000", "192.168.1.5"},
      {"", "192.168.1.5:7000", "192.168.1.5:7000", "192.168.1.5:7000", "192.168.1.5"},
      {"", "0.0.0.0:4603", "0.0.0.0:4603", "10.0.0.9:4603", "10.0.0.9"},
      {"home.example", "0.0.0.0:7000", "0.0.0.0:7000", "home.example:7000", "10.0.0.9"},
      {"home.example:443", "10.0.0.9:7000", "10.0.0.9:7000", "home.example:443", "10.0.0.9"},
      {"[fd00::5]:4603", "", "[fd00::5]:4603", "[fd00::5]:4603", "10.0.0.9"},
      {"", "127.0.0.1:4603", "127.0.0.1:4603", "", ""},
  };
  for (const auto& each : cases) {
    const auto door = plan_node_door(each.advertise, each.nodes, "10.0.0.9");
    ASSERT_TRUE(door) << each.advertise << " " << each.nodes << ": " << door.error().message;
    EXPECT_EQ(door->listen, each.listen);
    EXPECT_EQ(door->address, each.address);
    EXPECT_EQ(door->underlay, each.underlay);
    EXPECT_NE(door->advice.find("--advertise 10.0.0.9"), std::string::npos);
  }
}

TEST(NodeDoor, WhatIsNoAddressIsRefused) {
  for (const std::string text : {"a:b", "a:0", "a:70000", ":4603", "http://a:1", "a b"})
    EXPECT_EQ(plan_node_door(text, "", std::nullopt).error().code, base::Code::kInvalidArgument) << text;
  EXPECT_EQ(plan_node_door("0.0.0.0", "", std::nullopt).error().code, base::Code::kInvalidArgument);
}

}  // namespace
}  // namespace orchion::daemon
