// A task's life and the cluster's events, as people see them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_fixture_test.h"
#include "cli/task_timeline.h"
#include "core/timestamps.h"

namespace orchion::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kTimeline =
    R"({"stack":"shop","task":"web.1.k3f9qa","taskUid":"0123456789abcdef","slot":"web.1","state":"RUNNING",)"
    R"("node":"nas","image":"nginx:1.27","attempt":9,"changes":[)"
    R"({"time":"2026-01-01T00:00:00.5Z","state":"PENDING","reason":"Created","actor":"user admin",)"
    R"("taskUid":"0123456789abcdef"},)"
    R"({"time":"2026-01-01T00:10:00Z","state":"FAILED","attempt":8,"node":"nas","reason":"Exited",)"
    R"("message":"said: \u001b[2J","exitCode":3,"leftOut":21,"actor":"agent nas","taskUid":"0123456789abcdef"}]})";

TEST_F(CliTest, ATaskIsShownAsATimeline) {
  server_.on("GET /v1/stacks/shop/tasks/web.1/timeline", 200, kTimeline);
  const auto shown = run({"inspect", "shop/web.1"});
  EXPECT_EQ(shown.code, kExitOk) << shown.err;
  EXPECT_THAT(shown.out,
              AllOf(HasSubstr("shop/web.1\n"), HasSubstr("image     nginx:1.27\n"), HasSubstr("attempts  9\n"),
                    HasSubstr("2026-01-01T00:00:00.500Z ("), HasSubstr("21 more, not kept"),
                    HasSubstr("Exited: said:  [2J"), HasSubstr("user admin")));
  EXPECT_THAT(shown.out, Not(HasSubstr("01234567  "))) << "all lines are of one task";
  const auto all = run({"inspect", "shop/web.1", "--previous"});
  EXPECT_THAT(server_.asked().back(), HasSubstr("previous=true"));
  EXPECT_THAT(all.out, HasSubstr("01234567  2026-01-01"));
  EXPECT_THAT(run({"inspect", "shop/web.1", "--previous", "-o", "json"}).out, HasSubstr(R"("leftOut":21)"));
  EXPECT_EQ(run({"inspect", "shop/web.1", "--previous", "-o", "name"}).out, "shop/web.1\n");
}

TEST_F(CliTest, ATaskIsFoundByItsOwnName) {
  server_.on("GET /v1/stacks/shop/tasks/web.1.k3f9qa/timeline", 200, kTimeline);
  server_.on("GET /v1/stacks/shop/tasks/encode.7.0.k3f9qa/timeline", 200, kTimeline);
  EXPECT_EQ(run({"inspect", "shop/web.1.k3f9qa"}).code, kExitOk);
  EXPECT_EQ(run({"inspect", "shop/encode.7.0.k3f9qa"}).code, kExitOk);
  EXPECT_EQ(run({"inspect", "shop/web.1.k3!"}).code, kExitUsage);
  EXPECT_EQ(run({"inspect", "--previous", "--stack", "shop", "web.x"}).code, kExitUsage);
}

TEST(TimelineText, LinesOfWhatIsGoneAndWasNeverPlaced) {
  v1::TaskTimeline timeline;
  timeline.set_stack("shop");
  timeline.set_slot("web.1");
  timeline.set_gone(true);
  timeline.set_state(v1::PENDING);
  auto& change = *timeline.add_changes();
  change.set_reason("Removed");
  change.set_message("it never had a place");
  change.mutable_time()->set_seconds(100);
  const auto text = timeline_text(timeline, false, base::WallTime(std::chrono::seconds(160)));
  EXPECT_THAT(text, HasSubstr("state     pending, and gone\n"));
  EXPECT_THAT(text, Not(HasSubstr("node")));
  EXPECT_THAT(text, HasSubstr("(60s ago)"));
  EXPECT_THAT(text, HasSubstr("-        pending  -     Removed: it never had a place  -\n"));
}

TEST_F(CliTest, EventsArePicked) {
  server_.on("GET /v1/events", 200,
             R"({"events":[{"meta":{"name":"1-a","stack":"shop"},"subject":"web.1","reason":"TaskRestarted",)"
             R"("message":"it ended","node":"nas"}]})");
  const auto shown = run({"events", "shop/web", "--node", "nas", "--reason", "TaskRestarted", "--since", "10m"});
  EXPECT_EQ(shown.code, kExitOk) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("shop/web.1"));
  EXPECT_THAT(server_.asked().back(), AllOf(HasSubstr("stack=shop"), HasSubstr("subject=web"), HasSubstr("node=nas"),
                                            HasSubstr("reason=TaskRestarted"), HasSubstr("since=")));
  EXPECT_EQ(run({"events", "--since", "yesterday"}).code, kExitUsage);
}

}  // namespace
}  // namespace orchion::cli
