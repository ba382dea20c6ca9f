#include "core/constraints.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

v1::Node nas() {
  v1::Node node;
  node.mutable_meta()->set_name("nas");
  node.mutable_meta()->set_uid("n1");
  (*node.mutable_meta()->mutable_labels())["gpu"] = "none";
  (*node.mutable_meta()->mutable_labels())["disk"] = "hdd";
  (*node.mutable_spec()->mutable_labels())["gpu"] = "rtx";
  node.mutable_status()->mutable_capabilities()->set_hostname("NAS.lan");
  node.mutable_status()->mutable_capabilities()->set_architecture("arm64");
  return node;
}

TEST(Constraints, Table) {
  const struct {
    const char* text;
    bool holds;
  } cases[] = {
      {"node.name==nas", true},
      {"node.name != nas", false},
      {"node.id==n1", true},
      {"node.hostname==nas.lan", true},
      {" node.hostname == pi ", false},
      {"node.hostname!=pi", true},
      {"node.labels.gpu==rtx", true},
      {"node.labels.gpu!=none", true},
      {"node.labels.disk==hdd", true},
      {"node.labels.zone==a", false},
      {"node.labels.zone!=a", true},
      {"node.role==worker", true},
      {"node.role==manager", false},
      {"node.platform.os==linux", true},
      {"node.platform.arch==aarch64", true},
      {"node.platform.arch==amd64", false},
  };
  for (const auto& c : cases) {
    auto constraint = parse_constraint(c.text);
    ASSERT_TRUE(constraint) << c.text;
    EXPECT_EQ(matches(*constraint, nas()), c.holds) << c.text;
  }
}

TEST(Constraints, TheRoleIsALabel) {
  v1::Node node = nas();
  (*node.mutable_spec()->mutable_labels())["orchion.role"] = "manager";
  EXPECT_TRUE(matches(*parse_constraint("node.role==Manager"), node));
}

TEST(Constraints, AValueMayHoldTheOtherComparison) {
  auto constraint = parse_constraint("node.labels.rule==a!=b");
  ASSERT_TRUE(constraint);
  EXPECT_EQ(constraint->label, "rule");
  EXPECT_TRUE(constraint->equal);
  EXPECT_EQ(constraint->value, "a!=b");
}

TEST(Constraints, WhatCannotBeReadSaysWhatCan) {
  for (const char* bad : {"", "node.name", "node.name=nas", "==x", "node.labels.==x", "node.ip==10", "node.name=="}) {
    auto constraint = parse_constraint(bad);
    ASSERT_FALSE(constraint) << bad;
    EXPECT_NE(constraint.error().message.find("node.labels.NAME"), std::string::npos);
  }
}

TEST(Constraints, TheUsersLabelsWin) {
  EXPECT_EQ(node_labels(nas()), (std::map<std::string, std::string>{{"gpu", "rtx"}, {"disk", "hdd"}}));
}

}  // namespace
}  // namespace orchion::core
