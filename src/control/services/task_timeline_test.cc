#include "control/services/task_timeline.h"

#include <gmock/gmock.h>

#include "control/services/services_fixture_test.h"
#include "control/services/task_service.h"
#include "core/task_changes.h"
#include "core/timestamps.h"

namespace orchion::control::services {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

base::WallTime at(int second) {
  return base::WallTime(std::chrono::seconds(second));
}

class TaskTimelineTest : public ServicesFixture {
 protected:
  TaskTimelineTest() {
    add_task_service(table_, std::make_shared<TaskService>(context(), streams_));
    v1::Revision revision;
    revision.mutable_meta()->set_stack("shop");
    revision.mutable_meta()->set_name("web.1");
    revision.mutable_spec()->mutable_template_()->mutable_container()->set_image("nginx:1.27");
    create(revision);
  }

  template <class T>
  void create(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
  }

  // Made at `second`, one second later on the node nas, running after another.
  static v1::Task task(const std::string& uid, std::uint32_t slot, int second) {
    v1::Task task;
    task.mutable_meta()->set_stack("shop");
    task.mutable_meta()->set_name("web." + std::to_string(slot) + "." + uid);
    task.mutable_meta()->set_uid(uid);
    *task.mutable_meta()->mutable_created_at() = core::to_timestamp(at(second));
    task.mutable_spec()->set_service("web");
    task.mutable_spec()->set_revision("web.1");
    task.mutable_spec()->set_slot(slot);
    core::note_decision(task, {"Created", "", "user admin"}, at(second));
    task.mutable_spec()->mutable_assignment()->set_node("nas");
    core::note_decision(task, {"Placed", "", "controller services"}, at(second + 1));
    task.mutable_status()->set_state(v1::RUNNING);
    task.mutable_status()->set_attempt(1);
    v1::TaskChange change;
    *change.mutable_time() = core::to_timestamp(at(second + 2));
    change.set_state(v1::RUNNING);
    change.set_attempt(1);
    change.set_reason("Running");
    core::append_change(*task.mutable_status()->mutable_changes(), std::move(change));
    return task;
  }

  void create_record(const v1::Task& task, int second) {
    create(core::make_task_record(task, {"Removed", "", "agent nas"}, at(second)));
  }

  base::Result<v1::TaskTimeline> timeline(const std::string& name, bool previous = false) {
    v1::GetTaskTimelineRequest request;
    request.set_stack("shop");
    request.set_name(name);
    request.set_previous(previous);
    return call<v1::TaskTimeline, v1::GetTaskTimelineRequest>(table_, "TaskService.GetTaskTimeline", {request});
  }

  // "uid reason", in order.
  static std::vector<std::string> steps(const base::Result<v1::TaskTimeline>& timeline) {
    std::vector<std::string> result;
    if (!timeline) return {timeline.error().message};
    for (const auto& change : timeline->changes()) result.push_back(change.task_uid() + " " + change.reason());
    return result;
  }

  NodeStreams streams_{loop_.executor(), clock_, random_};
  core::MethodTable table_;
};

TEST_F(TaskTimelineTest, OfATaskThatIsThere) {
  create(task("a", 1, 10));
  const auto shown = timeline("web.1");
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_EQ(shown->stack(), "shop");
  EXPECT_EQ(shown->task(), "web.1.a");
  EXPECT_EQ(shown->slot(), "web.1");
  EXPECT_EQ(shown->node(), "nas");
  EXPECT_EQ(shown->image(), "nginx:1.27");
  EXPECT_EQ(shown->state(), v1::RUNNING);
  EXPECT_FALSE(shown->gone());
  EXPECT_THAT(steps(shown), ElementsAre("a Created", "a Placed", "a Running"));
  EXPECT_EQ(shown->changes(2).actor(), "agent nas");
}

TEST_F(TaskTimelineTest, WhoWasBeforeIsAddedWhereAskedFor) {
  create_record(task("a", 1, 10), 24);
  create_record(task("other", 2, 10), 24);
  create(task("b", 1, 20));
  EXPECT_THAT(steps(timeline("web.1")), ElementsAre("b Created", "b Placed", "b Running"));
  EXPECT_THAT(steps(timeline("web.1", true)),
              ElementsAre("a Created", "a Placed", "a Running", "b Created", "b Placed", "b Running", "a Removed"));
}

TEST_F(TaskTimelineTest, WhatIsGoneIsFoundByItsNameItsSlotAndItsService) {
  create_record(task("a", 1, 10), 20);
  create_record(task("b", 1, 30), 40);
  for (const char* name : {"web.1", "web", "web.1.b"}) {
    const auto shown = timeline(name);
    ASSERT_TRUE(shown) << shown.error().message;
    EXPECT_EQ(shown->task_uid(), "b") << name;
    EXPECT_TRUE(shown->gone());
    EXPECT_EQ(shown->state(), v1::RUNNING) << "as last seen";
    EXPECT_EQ(shown->attempt(), 1);
  }
  EXPECT_THAT(steps(timeline("web.1.a")), ElementsAre("a Created", "a Placed", "a Running", "a Removed"));
}

TEST_F(TaskTimelineTest, WhatWasToldToGoGoesBeforeRecords) {
  create_record(task("a", 1, 10), 20);
  auto going = task("b", 1, 30);
  *going.mutable_meta()->mutable_deleted_at() = core::to_timestamp(at(40));
  going.mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
  create(going);
  const auto shown = timeline("web.1");
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_EQ(shown->task_uid(), "b");
  EXPECT_FALSE(shown->gone());
}

TEST_F(TaskTimelineTest, WhatNeverWasIsRefusedWithAWayOn) {
  const auto none = timeline("web.7");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, base::Code::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("orchion ps --all --stack shop"));
}

}  // namespace
}  // namespace orchion::control::services
