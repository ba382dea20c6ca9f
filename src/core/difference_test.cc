#include "core/difference.h"

#include <functional>

#include <gtest/gtest.h>

#include "core/defaults.h"

namespace orchion::core {
namespace {

v1::StackSpec shop() {
  v1::StackSpec stack;
  auto& web = *stack.add_services();
  web.set_name("web");
  auto& container = *web.mutable_spec()->mutable_container();
  container.set_image("web:1");
  container.mutable_command()->add_values("serve");
  auto& variable = *container.add_environment();
  variable.set_name("PASSWORD");
  variable.set_value("hunter2");
  auto& port = *container.add_ports();
  port.set_host_port(8080);
  port.set_container_port(80);
  (*web.mutable_spec()->mutable_labels())["team"] = "a";
  stack.add_volumes()->set_name("data");
  fill_defaults(stack);
  return stack;
}

const v1::Change* find(const v1::Plan& plan, const std::string& kind, const std::string& name) {
  for (const auto& change : plan.changes())
    if (change.kind() == kind && change.name() == name) return &change;
  return nullptr;
}

TEST(Difference, ANewStackIsAllCreation) {
  const v1::Plan plan = difference({}, shop());
  ASSERT_EQ(plan.changes_size(), 3);
  for (const auto& change : plan.changes()) EXPECT_EQ(change.action(), v1::Change::CREATE) << change.name();
  EXPECT_EQ(find(plan, "Service", "web")->tasks_before(), 0u);
  EXPECT_EQ(find(plan, "Service", "web")->tasks_after(), 1u);
}

TEST(Difference, NothingChangedIsSaidToo) {
  const v1::StackSpec stack = shop();
  const v1::Plan plan = difference(stack, stack);
  ASSERT_EQ(plan.changes_size(), 3);
  for (const auto& change : plan.changes()) {
    EXPECT_EQ(change.action(), v1::Change::NONE) << change.name();
    EXPECT_EQ(change.fields_size(), 0);
  }
}

struct Case {
  const char* name;
  std::function<void(v1::ServiceSpec&)> edit;
  v1::Change::Action action;
  const char* path;
  const char* before;
  const char* after;
};

TEST(Difference, OfOneField) {
  const Case cases[] = {
      {"image", [](auto& s) { s.mutable_container()->set_image("web:2"); }, v1::Change::REPLACE, "container.image",
       "web:1", "web:2"},
      {"command", [](auto& s) { s.mutable_container()->mutable_command()->add_values("-v"); }, v1::Change::REPLACE,
       "container.command", "[\"serve\"]", "[\"serve\", \"-v\"]"},
      {"command taken away", [](auto& s) { s.mutable_container()->clear_command(); }, v1::Change::REPLACE,
       "container.command", "[\"serve\"]", ""},
      {"command emptied", [](auto& s) { s.mutable_container()->mutable_command()->clear_values(); },
       v1::Change::REPLACE, "container.command", "[\"serve\"]", "[]"},
      {"secret", [](auto& s) { s.mutable_container()->mutable_environment(0)->set_value("hunter3"); },
       v1::Change::REPLACE, "container.environment[PASSWORD]", "<changed>", "<changed>"},
      {"secret gone", [](auto& s) { s.mutable_container()->clear_environment(); }, v1::Change::REPLACE,
       "container.environment[PASSWORD]", "<changed>", ""},
      {"replicas", [](auto& s) { s.set_replicas(3); }, v1::Change::UPDATE, "replicas", "1", "3"},
      {"no replicas", [](auto& s) { s.set_replicas(0); }, v1::Change::UPDATE, "replicas", "1", "0"},
      {"service label", [](auto& s) { (*s.mutable_labels())["team"] = "b"; }, v1::Change::UPDATE, "labels[team]", "a",
       "b"},
      {"container label", [](auto& s) { (*s.mutable_container()->mutable_labels())["x"] = "1"; }, v1::Change::REPLACE,
       "container.labels[x]", "", "1"},
      {"grace", [](auto& s) { s.mutable_container()->mutable_stop_grace_period()->set_seconds(3); },
       v1::Change::REPLACE, "container.stopGracePeriod", "10s", "3s"},
      {"limit", [](auto& s) { s.mutable_container()->mutable_limits()->set_memory_bytes(1024); }, v1::Change::REPLACE,
       "container.limits.memoryBytes", "0", "1024"},
      {"restart", [](auto& s) { s.mutable_restart()->set_condition(v1::RestartPolicy::NO); }, v1::Change::REPLACE,
       "restart.condition", "DEFAULT", "NO"},
      {"recovery", [](auto& s) { s.mutable_recovery()->set_action(v1::Recovery::MOVE); }, v1::Change::REPLACE,
       "recovery.action", "RESTART", "MOVE"},
      {"constraint", [](auto& s) { s.add_constraints("node.name==nas"); }, v1::Change::REPLACE, "constraints", "",
       "node.name==nas"},
      {"node loss", [](auto& s) { s.set_on_node_loss(v1::WAIT); }, v1::Change::UPDATE, "onNodeLoss", "REPLACE", "WAIT"},
  };
  for (const auto& c : cases) {
    const v1::StackSpec before = shop();
    v1::StackSpec after = shop();
    c.edit(*after.mutable_services(0)->mutable_spec());
    const v1::Plan plan = difference(before, after);
    const v1::Change* change = find(plan, "Service", "web");
    ASSERT_NE(change, nullptr);
    EXPECT_EQ(change->action(), c.action) << c.name;
    ASSERT_EQ(change->fields_size(), 1) << c.name << ": " << change->DebugString();
    EXPECT_EQ(change->fields(0).path(), c.path) << c.name;
    EXPECT_EQ(change->fields(0).before(), c.before) << c.name;
    EXPECT_EQ(change->fields(0).after(), c.after) << c.name;
    EXPECT_EQ(plan.DebugString().find("hunter"), std::string::npos) << "a secret is shown";
  }
}

TEST(Difference, APublishedPortIsItsOwnName) {
  const v1::StackSpec before = shop();
  v1::StackSpec after = shop();
  after.mutable_services(0)->mutable_spec()->mutable_container()->mutable_ports(0)->set_host_port(9090);
  const v1::Plan plan = difference(before, after);
  const auto& fields = find(plan, "Service", "web")->fields();
  ASSERT_EQ(fields.size(), 2);
  EXPECT_EQ(fields[0].path(), "container.ports[8080:80/tcp]");
  EXPECT_EQ(fields[0].after(), "");
  EXPECT_EQ(fields[1].path(), "container.ports[9090:80/tcp]");
}

TEST(Difference, PrunesServicesAndNetworksButKeepsData) {
  v1::StackSpec before = shop();
  before.add_networks()->set_name("back");
  before.add_services()->set_name("old");
  before.mutable_services(1)->mutable_spec()->set_replicas(4);
  v1::StackSpec after = shop();
  after.clear_volumes();
  const v1::Plan plan = difference(before, after);
  EXPECT_EQ(find(plan, "Service", "old")->action(), v1::Change::REMOVE);
  EXPECT_EQ(find(plan, "Service", "old")->tasks_before(), 4u);
  EXPECT_EQ(find(plan, "Network", "back")->action(), v1::Change::REMOVE);
  EXPECT_EQ(find(plan, "Volume", "data")->action(), v1::Change::NONE);
  ASSERT_EQ(plan.warnings_size(), 1);
  EXPECT_NE(plan.warnings(0).find("keeps its data"), std::string::npos);
}

TEST(Difference, QueuesAreSaidToo) {
  v1::StackSpec before, after;
  auto& queue = *before.add_queues();
  queue.set_name("gpu");
  queue.mutable_spec()->set_slots(2);
  after = before;
  after.mutable_queues(0)->mutable_spec()->set_slots(3);
  const v1::Plan plan = difference(before, after);
  const auto* change = find(plan, "Queue", "gpu");
  ASSERT_NE(change, nullptr);
  EXPECT_EQ(change->action(), v1::Change::UPDATE);
  ASSERT_EQ(change->fields_size(), 1);
  EXPECT_EQ(change->fields(0).path(), "slots");
  EXPECT_EQ(find(difference({}, after), "Queue", "gpu")->action(), v1::Change::CREATE);
  EXPECT_EQ(find(difference(after, {}), "Queue", "gpu")->action(), v1::Change::REMOVE);
}

TEST(Difference, WarnsWhereANetworkCannotFollow) {
  const v1::StackSpec before = shop();
  v1::StackSpec after = shop();
  after.mutable_networks(0)->mutable_spec()->set_subnet("10.1.0.0/24");
  EXPECT_EQ(difference(before, after).warnings_size(), 1);
}

}  // namespace
}  // namespace orchion::core
