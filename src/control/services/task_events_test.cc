#include "control/services/task_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::control::services {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class TaskEventsTest : public testing::Test {
 protected:
  TaskEventsTest() {
    before.mutable_meta()->set_name("web.1.abc");
    before.mutable_spec()->set_service("web");
    before.mutable_spec()->set_slot(1);
    before.mutable_spec()->mutable_assignment()->set_node("nas");
    before.mutable_status()->set_state(v1::RUNNING);
    after = before;
  }

  std::vector<std::string> told() {
    std::vector<std::string> result;
    for (const auto& event : task_events(before, after, service)) {
      EXPECT_EQ(event.node, "nas");
      EXPECT_EQ(event.severity, v1::Event::WARNING);
      result.push_back(event.reason + ": " + event.message);
    }
    return result;
  }

  v1::Task before, after;
  v1::ServiceSpec service;
};

TEST_F(TaskEventsTest, RestartsAreCounted) {
  EXPECT_THAT(told(), IsEmpty());
  after.mutable_status()->set_restarts(2);
  after.mutable_status()->set_last_end("exited with 3");
  EXPECT_THAT(told(), ElementsAre("TaskRestarted: web.1 exited with 3; started again, 2 times so far"));
  after.mutable_status()->add_last_output("reading shop.conf");
  after.mutable_status()->add_last_output("no such file");
  EXPECT_THAT(
      told(),
      ElementsAre("TaskRestarted: web.1 exited with 3; started again, 2 times so far; it last said \"no such file\""));
}

TEST_F(TaskEventsTest, IllHealthIsToldWithWhatComesOfIt) {
  after.mutable_status()->set_health(v1::HEALTH_BAD);
  after.mutable_status()->set_health_message("exit code 1");
  EXPECT_THAT(told(), ElementsAre("TaskUnhealthy: web.1 is unhealthy (exit code 1) and is restarted"));
  service.mutable_recovery()->set_action(v1::Recovery::RUN_COMMAND);
  EXPECT_THAT(told(), ElementsAre("TaskUnhealthy: web.1 is unhealthy (exit code 1) and has its recovery command run"));
  service.mutable_recovery()->set_action(v1::Recovery::NOTHING);
  const auto* const stays = "TaskUnhealthy: web.1 is unhealthy (exit code 1) and stays as it is, as its service says";
  EXPECT_THAT(told(), ElementsAre(stays));
  service.clear_recovery();
  service.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  EXPECT_THAT(told(), ElementsAre(stays));
  before.mutable_status()->set_health(v1::HEALTH_BAD);
  EXPECT_THAT(told(), IsEmpty()) << "once";
}

TEST_F(TaskEventsTest, AFailureIsToldOnce) {
  after.mutable_status()->set_state(v1::FAILED);
  after.mutable_status()->set_message("exited with 3");
  after.mutable_status()->add_last_output("no such file");
  EXPECT_THAT(told(), ElementsAre("TaskFailed: web.1 failed: exited with 3; it last said \"no such file\""));
  service.mutable_recovery()->set_action(v1::Recovery::NOTHING);
  EXPECT_THAT(told(), ElementsAre("TaskFailed: web.1 failed: exited with 3; it stays as it is, as its service says; "
                                  "it last said \"no such file\""));
  before = after;
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(TaskEventsTest, HowARunsTasksEndIsToldOfTheRun) {
  after.mutable_spec()->clear_service();
  after.mutable_spec()->set_run("encode.7");
  after.mutable_status()->set_state(v1::FAILED);
  EXPECT_THAT(told(), IsEmpty());
}

}  // namespace
}  // namespace orchion::control::services
