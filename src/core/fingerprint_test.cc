#include "core/fingerprint.h"

#include <functional>

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

v1::ServiceSpec web() {
  v1::ServiceSpec spec;
  spec.set_replicas(2);
  auto& container = *spec.mutable_container();
  container.set_image("web:1");
  for (const char* word : {"serve", "--port", "80"}) container.mutable_command()->add_values(word);
  for (const char* name : {"A", "B"}) {
    auto& variable = *container.add_environment();
    variable.set_name(name);
    variable.set_value("1");
  }
  container.add_ports()->set_container_port(80);
  container.add_ports()->set_container_port(443);
  (*container.mutable_labels())["x"] = "1";
  (*container.mutable_labels())["y"] = "2";
  return spec;
}

using Edit = std::function<void(v1::ServiceSpec&)>;

TEST(Fingerprint, DiffersWhereTasksWould) {
  const Edit edits[] = {
      [](auto& s) { s.mutable_container()->set_image("web:2"); },
      [](auto& s) { s.mutable_container()->mutable_command()->set_values(2, "81"); },
      [](auto& s) { s.mutable_container()->mutable_command()->mutable_values()->SwapElements(0, 1); },
      [](auto& s) { s.mutable_container()->clear_command(); },
      [](auto& s) { s.mutable_container()->mutable_entrypoint(); },
      [](auto& s) { s.mutable_container()->mutable_environment(0)->set_value("2"); },
      [](auto& s) { (*s.mutable_container()->mutable_labels())["z"] = ""; },
      [](auto& s) { s.mutable_container()->mutable_limits()->set_memory_bytes(1); },
      [](auto& s) { s.mutable_container()->set_tty(true); },
      [](auto& s) { s.mutable_restart()->set_condition(v1::RestartPolicy::NO); },
      [](auto& s) { s.add_constraints("node.name==nas"); },
      [](auto& s) { s.mutable_container()->mutable_stop_grace_period()->set_seconds(10); },
  };
  const std::string before = fingerprint(web());
  EXPECT_EQ(before.size(), 32u);
  for (std::size_t i = 0; i < std::size(edits); ++i) {
    v1::ServiceSpec spec = web();
    edits[i](spec);
    EXPECT_NE(fingerprint(spec), before) << "edit " << i;
  }
}

TEST(Fingerprint, IsTheSameWhereTasksWouldBe) {
  const Edit edits[] = {
      [](auto& s) { s.set_replicas(5); },
      [](auto& s) { (*s.mutable_labels())["team"] = "a"; },
      [](auto& s) { s.add_depends_on()->set_service("db"); },
      [](auto& s) { s.set_on_node_loss(v1::WAIT); },
      [](auto& s) { s.mutable_container()->mutable_limits(); },
      [](auto& s) { s.mutable_recovery()->set_action(v1::Recovery::RESTART); },
      [](auto& s) { s.mutable_container()->mutable_ports()->SwapElements(0, 1); },
      [](auto& s) { s.mutable_container()->mutable_environment()->SwapElements(0, 1); },
  };
  for (std::size_t i = 0; i < std::size(edits); ++i) {
    v1::ServiceSpec spec = web();
    edits[i](spec);
    EXPECT_EQ(fingerprint(spec), fingerprint(web())) << "edit " << i;
  }
}

TEST(Fingerprint, NoTwoValuesLookLikeOne) {
  v1::ServiceSpec one = web(), two = web();
  one.mutable_container()->mutable_command()->add_values("a b");
  two.mutable_container()->mutable_command()->add_values("a");
  two.mutable_container()->mutable_command()->add_values("b");
  EXPECT_NE(fingerprint(one), fingerprint(two));
}

TEST(Fingerprint, WhatIsDoneForATaskThatFailsIsPartOfIt) {
  v1::ServiceSpec one = web(), two = web();
  for (auto* spec : {&one, &two}) spec->mutable_recovery()->set_action(v1::Recovery::RUN_COMMAND);
  EXPECT_NE(fingerprint(one), fingerprint(web()));
  for (const auto* word : {"cp", "a", "b"}) one.mutable_recovery()->add_command(word);
  for (const auto* word : {"cp", "b", "a"}) two.mutable_recovery()->add_command(word);
  EXPECT_NE(fingerprint(one), fingerprint(two));
}

// Stored fingerprints must stay comparable: a new program that computed others would restart every task.
TEST(Fingerprint, IsWrittenInStone) {
  EXPECT_EQ(fnv1a_128(""), "6c62272e07bb014262b821756295c58d");
  EXPECT_EQ(fnv1a_128("a"), "d228cb696f1a8caf78912b704e4a8964");
  EXPECT_EQ(fingerprint(web()), "b19c65d236ef7d24c841d7d4dd80ee0e");
}

}  // namespace
}  // namespace orchion::core
