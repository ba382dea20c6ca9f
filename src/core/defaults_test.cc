#include "core/defaults.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

namespace orchion::core {
namespace {

using google::protobuf::util::MessageDifferencer;

v1::StackSpec bare() {
  v1::StackSpec stack;
  auto& web = *stack.add_services();
  web.set_name("web");
  web.mutable_spec()->mutable_container()->set_image("web:1");
  web.mutable_spec()->mutable_container()->add_ports()->set_container_port(80);
  web.mutable_spec()->add_depends_on()->set_service("db");
  auto& db = *stack.add_services();
  db.set_name("db");
  auto& mount = *db.mutable_spec()->mutable_container()->add_mounts();
  mount.set_type(v1::Mount::VOLUME);
  mount.set_source("data");
  stack.add_volumes()->set_name("data");
  return stack;
}

TEST(Defaults, MakeASpecComplete) {
  v1::StackSpec stack = bare();
  fill_defaults(stack);
  const auto& web = stack.services(0).spec();
  EXPECT_EQ(web.replicas(), 1u);
  EXPECT_TRUE(web.has_restart());
  EXPECT_EQ(web.restart().condition(), v1::RestartPolicy::DEFAULT);
  EXPECT_EQ(web.on_node_loss(), v1::REPLACE);
  EXPECT_EQ(web.container().stop_grace_period().seconds(), 10);
  EXPECT_EQ(web.container().ports(0).protocol(), "tcp");
  EXPECT_EQ(web.depends_on(0).condition(), v1::Dependency::STARTED);
  ASSERT_EQ(web.container().networks_size(), 1);
  EXPECT_EQ(web.container().networks(0).network(), "default");
  EXPECT_EQ(stack.services(1).spec().on_node_loss(), v1::WAIT) << "its data is on one node";
  ASSERT_EQ(stack.networks_size(), 1);
  EXPECT_EQ(stack.networks(0).name(), "default");
}

TEST(Defaults, ASecondTimeChangesNothing) {
  v1::StackSpec once = bare();
  fill_defaults(once);
  v1::StackSpec twice = once;
  fill_defaults(twice);
  EXPECT_TRUE(MessageDifferencer::Equals(once, twice));
}

TEST(Defaults, KeepWhatIsSet) {
  v1::StackSpec stack = bare();
  auto& web = *stack.mutable_services(0)->mutable_spec();
  web.set_replicas(0);
  web.set_on_node_loss(v1::FENCE);
  web.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  web.mutable_container()->mutable_stop_grace_period()->set_seconds(0);
  web.mutable_container()->mutable_ports(0)->set_protocol("udp");
  for (auto& service : *stack.mutable_services())
    service.mutable_spec()->mutable_container()->add_networks()->set_network("front");
  stack.add_networks()->set_name("front");
  fill_defaults(stack);
  const auto& filled = stack.services(0).spec();
  EXPECT_EQ(filled.replicas(), 0u) << "scaled to nothing is not the same as not said";
  EXPECT_EQ(filled.on_node_loss(), v1::FENCE);
  EXPECT_EQ(filled.restart().condition(), v1::RestartPolicy::NO);
  EXPECT_EQ(filled.container().stop_grace_period().seconds(), 0);
  EXPECT_EQ(filled.container().ports(0).protocol(), "udp");
  EXPECT_EQ(stack.networks_size(), 1) << "nobody uses the default network";
}

}  // namespace
}  // namespace orchion::core
