#include "node/networks/fake_networks.h"

#include <gtest/gtest.h>

#include "node/networks/network_lab.h"

namespace orchion::node::networks {
namespace {

TEST(FakeNetworks, RefusesWhatTheRealOneRefuses) {
  lab::Loop loop;
  FakeNetworks networks;
  const auto attach = [&](TaskNetwork task) { return loop.run(networks.attach(std::move(task))); };
  const PublishedPort port{.host_port = 80, .container_port = 80};
  EXPECT_FALSE(attach({.task_uid = "a", .owner = "s/a", .attachments = {{"blue", "10.0.0.2"}}}).has_value());
  ASSERT_TRUE(loop.run(networks.ensure_network({.uid = "blue"})).has_value());
  EXPECT_TRUE(attach({"a", "s/a", {{"blue", "10.0.0.2"}}, {port}}).has_value());
  EXPECT_TRUE(attach({"a", "s/a", {{"blue", "10.0.0.2"}}, {port}}).has_value()) << "again";
  EXPECT_TRUE(attach({"a2", "s/a", {{"blue", "10.0.0.4"}}, {port}}).has_value()) << "owners share";
  EXPECT_FALSE(attach({"b", "s/b", {{"blue", "10.0.0.3"}}, {port}}).has_value());
  networks.next_attach_error = base::Error{base::Code::kInternal, "as told", {}};
  EXPECT_EQ(attach({.task_uid = "b"}).error().message, "as told");
  EXPECT_TRUE(attach({.task_uid = "b"}).has_value());
  ASSERT_TRUE(loop.run(networks.sweep({"blue"}, {"b"})).has_value());
  EXPECT_TRUE(networks.tasks.contains("b") && !networks.tasks.contains("a") && networks.networks.contains("blue"));
}

}  // namespace
}  // namespace orchion::node::networks
