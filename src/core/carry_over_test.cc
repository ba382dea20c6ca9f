#include "core/carry_over.h"

#include <gtest/gtest.h>

#include "core/defaults.h"
#include "core/validation.h"

namespace orchion::core {
namespace {

v1::NamedService& add_service(v1::StackSpec& stack, const std::string& name) {
  auto& named = *stack.add_services();
  named.set_name(name);
  named.mutable_spec()->mutable_container()->set_image("app:1");
  return named;
}

TEST(CarryOver, HowOftenAServiceWasRestartedStaysAndThatItWasStoppedDoesNot) {
  v1::StackSpec before, after;
  auto& web = add_service(before, "web");
  web.mutable_spec()->set_restarts(3);
  web.mutable_spec()->set_stopped(true);
  add_service(after, "web");
  carry_over(before, after);
  ASSERT_EQ(after.services_size(), 1);
  EXPECT_EQ(after.services(0).spec().restarts(), 3u);
  EXPECT_FALSE(after.services(0).spec().stopped());
}

TEST(CarryOver, AJobMadeByItselfKeepsItsQueue) {
  v1::StackSpec before, after;
  auto& job = *before.add_jobs();
  job.set_name("once");
  job.set_standalone(true);
  job.mutable_spec()->set_queue("gpu");
  for (const auto* name : {"gpu", "unused"}) before.add_queues()->set_name(name);
  carry_over(before, after);
  EXPECT_EQ(after.jobs_size(), 1);
  ASSERT_EQ(after.queues_size(), 1);
  EXPECT_EQ(after.queues(0).name(), "gpu");
}

TEST(CarryOver, AServiceMadeByItselfStaysWithWhatItUses) {
  v1::StackSpec before, after;
  auto& probe = add_service(before, "probe");
  probe.set_standalone(true);
  auto& mount = *probe.mutable_spec()->mutable_container()->add_mounts();
  mount.set_type(v1::Mount::VOLUME);
  mount.set_source("data");
  mount.set_target("/data");
  before.add_volumes()->set_name("data");
  before.add_volumes()->set_name("unused");
  add_service(before, "old");
  fill_defaults(before);
  fill_defaults(after);
  carry_over(before, after);
  ASSERT_EQ(after.services_size(), 1) << "what an apply made and this one doesn't name goes";
  EXPECT_EQ(after.services(0).name(), "probe");
  ASSERT_EQ(after.networks_size(), 1);
  EXPECT_EQ(after.networks(0).name(), kDefaultNetwork);
  ASSERT_EQ(after.volumes_size(), 1);
  EXPECT_EQ(after.volumes(0).name(), "data");
  EXPECT_TRUE(validate_stack("shop", after));
}

TEST(CarryOver, AFileThatNamesItTakesItOver) {
  v1::StackSpec before, after;
  add_service(before, "probe").set_standalone(true);
  add_service(after, "probe").mutable_spec()->mutable_container()->set_image("app:2");
  carry_over(before, after);
  ASSERT_EQ(after.services_size(), 1);
  EXPECT_FALSE(after.services(0).standalone());
  EXPECT_EQ(after.services(0).spec().container().image(), "app:2");
}

TEST(CarryOver, ANetworkMadeByItselfStaysUntilTheFileHasIt) {
  v1::StackSpec before, after;
  auto& made = *before.add_networks();
  made.set_name("back");
  made.set_standalone(true);
  before.add_networks()->set_name("old");
  carry_over(before, after);
  ASSERT_EQ(after.networks_size(), 1);
  EXPECT_TRUE(after.networks(0).standalone());
  EXPECT_FALSE(is_empty(after));

  v1::StackSpec of_file;
  of_file.add_networks()->set_name("back");
  carry_over(before, of_file);
  ASSERT_EQ(of_file.networks_size(), 1);
  EXPECT_FALSE(of_file.networks(0).standalone());
  EXPECT_TRUE(is_empty(of_file)) << "a network that a file had is nothing to stay for";
}

}  // namespace
}  // namespace orchion::core
