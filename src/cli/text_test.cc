// What the command line prints and understands, without a server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/duration.h"
#include "cli/output.h"
#include "cli/plan_text.h"
#include "cli/progress.h"

namespace orchion::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(format_table({{"TASK", "PORTS", "NOTE"}, {"shop/web.1", "80→8080", ""}, {"x", "", "späť"}}),
            "TASK        PORTS    NOTE\n"
            "shop/web.1  80→8080\n"
            "x                    späť\n");
}

TEST(Yaml, OfJsonKeepsTypesAndOddKeys) {
  const auto yaml =
      yaml_of(R"({"a":{"b":[1,"1",true,null,"yes"],"c: d":"x\ny"},"e":[],"f":{},"g":[{"h":1.5,"i":[]}]})");
  EXPECT_EQ(*yaml,
            "a:\n"
            "  b:\n"
            "    - 1\n"
            "    - \"1\"\n"
            "    - true\n"
            "    - null\n"
            "    - \"yes\"\n"
            "  \"c: d\": \"x\\ny\"\n"
            "e: []\n"
            "f: {}\n"
            "g:\n"
            "  - h: 1.5E0\n"
            "    i: []\n");
  EXPECT_FALSE(yaml_of("{"));
}

TEST(Age, IsShort) {
  google::protobuf::Timestamp time;
  const base::WallTime now(std::chrono::seconds(1'000'000));
  EXPECT_EQ(age_of(time, now), "-");
  for (const auto& [ago, text] : std::vector<std::pair<int, std::string>>{
           {0, "0s"}, {119, "119s"}, {120, "2m"}, {7200, "2h"}, {200'000, "2d"}, {-5, "0s"}}) {
    time.set_seconds(1'000'000 - ago);
    EXPECT_EQ(age_of(time, now), text);
  }
}

TEST(Durations, AndMoments) {
  EXPECT_EQ(parse_duration("1h30m"), std::chrono::minutes(90));
  EXPECT_EQ(parse_duration("90"), std::chrono::seconds(90));
  EXPECT_EQ(parse_duration("500ms"), std::chrono::milliseconds(500));
  for (const auto* broken : {"", "soon", "1y", "-1s", "1.5h"}) EXPECT_FALSE(parse_duration(broken)) << broken;
  const base::WallTime now(std::chrono::seconds(1000));
  EXPECT_EQ(parse_moment("10m", now), now - std::chrono::minutes(10));
  EXPECT_EQ(parse_moment("1970-01-01T00:00:10Z", now), base::WallTime(std::chrono::seconds(10)));
  EXPECT_THAT(parse_moment("yesterday", now).error().message, HasSubstr("yesterday is no time: write"));
}

v1::Change change(const std::string& kind, const std::string& name, v1::Change::Action action) {
  v1::Change out;
  out.set_kind(kind);
  out.set_name(name);
  out.set_action(action);
  return out;
}

TEST(PlanText, SaysWhatWillHappen) {
  v1::Plan plan;
  *plan.add_changes() = change("Network", "default", v1::Change::NONE);
  EXPECT_EQ(plan_text("shop", plan), "shop: no changes\n");
  EXPECT_FALSE(is_disruptive(plan));
  auto& web = *plan.add_changes();
  web = change("Service", "web", v1::Change::REPLACE);
  web.set_tasks_before(1);
  web.set_tasks_after(2);
  auto& field = *web.add_fields();
  field.set_path("container.image");
  field.set_before("web:1");
  field.set_after("web:2");
  *plan.add_changes() = change("Volume", "old", v1::Change::REMOVE);
  plan.add_warnings("service web: no node has the image web:2");
  EXPECT_EQ(plan_text("shop", plan),
            "warning: service web: no node has the image web:2\n"
            "! service web (tasks 1 → 2)\n"
            "    container.image: web:1 → web:2\n"
            "- volume old\n"
            "shop: 1 to replace, 1 to remove, 1 to keep\n");
  EXPECT_TRUE(is_disruptive(plan));
}

v1::Stack stack_of(std::uint32_t replicas) {
  v1::Stack stack;
  stack.mutable_meta()->set_generation(2);
  auto& web = *stack.mutable_spec()->add_services();
  web.set_name("web");
  web.mutable_spec()->set_replicas(replicas);
  return stack;
}

v1::Service service_at(std::uint64_t generation, const std::string& revision) {
  v1::Service service;
  service.mutable_spec()->set_replicas(2);
  service.mutable_meta()->set_name("web");
  service.mutable_meta()->set_generation(generation);
  service.mutable_status()->set_observed_generation(generation);
  service.mutable_status()->set_revision(revision);
  return service;
}

v1::Task task_of(const std::string& uid, std::uint32_t slot, const std::string& revision, v1::TaskState state) {
  v1::Task task;
  task.mutable_meta()->set_uid(uid);
  task.mutable_spec()->set_service("web");
  task.mutable_spec()->set_slot(slot);
  task.mutable_spec()->set_revision(revision);
  task.mutable_spec()->mutable_assignment()->set_node("nas");
  task.mutable_status()->set_state(state);
  return task;
}

TEST(StackProgress, IsDoneWhenEveryTaskOfTheNewRevisionRuns) {
  StackProgress progress(stack_of(2));
  EXPECT_FALSE(progress.is_done());
  v1::Stack seen = stack_of(2);
  seen.mutable_status()->set_observed_generation(2);
  progress.put(service_at(3, "web.3"));
  progress.put(task_of("a", 1, "web.3", v1::RUNNING));
  progress.put(task_of("old", 2, "web.2", v1::RUNNING));
  progress.put(seen);
  EXPECT_FALSE(progress.is_done());
  EXPECT_EQ(progress.summary(), "web 2/2");
  progress.put(task_of("b", 2, "web.3", v1::STARTING));
  EXPECT_FALSE(progress.is_done());
  progress.put(task_of("b", 2, "web.3", v1::SUCCEEDED));
  EXPECT_TRUE(progress.is_done());
}

TEST(StackProgress, IsStoppedWhenNothingRunsAnyMoreAndWithoutTheService) {
  StackProgress progress(stack_of(2), Goal::kStopped);
  auto stopped = service_at(3, "web.3");
  stopped.mutable_spec()->set_stopped(true);
  progress.put(stopped);
  auto leaving = task_of("a", 1, "web.3", v1::STOPPING);
  leaving.mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
  progress.put(leaving);
  EXPECT_FALSE(progress.is_done());
  leaving.mutable_status()->set_state(v1::STOPPED);
  progress.put(leaving);
  EXPECT_TRUE(progress.is_done());
  progress.put(task_of("b", 1, "web.3", v1::FAILED));
  EXPECT_TRUE(progress.is_done());
  EXPECT_THAT(progress.obstacles(), testing::IsEmpty()) << "what has failed has stopped";
  progress.put(task_of("c", 1, "web.3", v1::RUNNING));
  progress.remove_service("web");
  EXPECT_FALSE(progress.is_done());
  progress.remove_task("c");
  EXPECT_TRUE(progress.is_done());
}

TEST(StackProgress, IsHealthyWhenEveryCheckSucceedsAndCompletedWhenAllEndedWell) {
  StackProgress healthy(stack_of(1), Goal::kHealthy), completed(stack_of(1), Goal::kCompleted);
  const auto put = [&](const auto& object) {
    healthy.put(object);
    completed.put(object);
  };
  auto web = service_at(3, "web.3");
  web.mutable_spec()->set_replicas(1);
  put(web);
  v1::Stack seen = stack_of(1);
  seen.mutable_status()->set_observed_generation(2);
  put(seen);
  auto task = task_of("a", 1, "web.3", v1::RUNNING);
  task.mutable_status()->set_health(v1::HEALTH_STARTING);
  put(task);
  EXPECT_FALSE(healthy.is_done());
  task.mutable_status()->set_health(v1::HEALTH_GOOD);
  put(task);
  EXPECT_TRUE(healthy.is_done());
  EXPECT_FALSE(completed.is_done());
  put(task_of("a", 1, "web.3", v1::SUCCEEDED));
  EXPECT_TRUE(completed.is_done());
}

TEST(StackProgress, OnlyTheServicesThatAreMeantCount) {
  StackProgress progress(stack_of(1));
  auto failing = task_of("x", 1, "db.1", v1::STARTING);
  failing.mutable_spec()->set_service("db");
  failing.mutable_status()->set_message("no such image");
  progress.put(failing);
  EXPECT_THAT(progress.obstacles(), testing::IsEmpty());
}

TEST(StackProgress, NamesWhatIsInTheWay) {
  StackProgress progress(stack_of(2));
  auto unplaced = task_of("a", 1, "web.3", v1::PENDING);
  unplaced.mutable_spec()->clear_assignment();
  unplaced.mutable_spec()->set_placement_message("0 of 1 nodes: 1 lacks memory");
  progress.put(unplaced);
  auto failed = task_of("b", 2, "web.3", v1::FAILED);
  failed.mutable_status()->set_message("there is no image web:2");
  progress.put(failed);
  EXPECT_THAT(progress.obstacles(),
              ElementsAre("web.1 is not placed: 0 of 1 nodes: 1 lacks memory", "web.2: there is no image web:2"));
  progress.remove_task("a");
  failed.mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
  progress.put(failed);
  EXPECT_THAT(progress.obstacles(), IsEmpty());
}

TEST(StackProgress, WaitingForAServiceThatIsOnItsWayIsNoObstacle) {
  StackProgress progress(stack_of(1));
  auto web = service_at(2, "web.1");
  web.mutable_status()->set_message("waits for service db to start");
  auto& dependency = *web.mutable_spec()->add_depends_on();
  dependency.set_service("db");
  dependency.set_condition(v1::Dependency::STARTED);
  progress.put(web);
  EXPECT_THAT(progress.obstacles(), ElementsAre("web: waits for service db to start"));
  auto db = service_at(2, "db.1");
  db.mutable_meta()->set_name("db");
  db.mutable_spec()->set_replicas(1);
  progress.put(db);
  auto task = task_of("a", 1, "db.1", v1::PREPARING);
  task.mutable_spec()->set_service("db");
  progress.put(task);
  EXPECT_THAT(progress.obstacles(), IsEmpty());
  task.mutable_status()->set_state(v1::RUNNING);
  progress.put(task);
  EXPECT_THAT(progress.obstacles(), ElementsAre("web: waits for service db to start"));
  dependency.set_condition(v1::Dependency::COMPLETED_SUCCESSFULLY);
  progress.put(web);
  EXPECT_THAT(progress.obstacles(), IsEmpty());
  db.mutable_status()->set_message("db.1 failed: exit code 1");
  progress.put(db);
  EXPECT_THAT(progress.obstacles(), ElementsAre("db: db.1 failed: exit code 1"));
}

TEST(StackProgress, HasARowForEachServiceThatCounts) {
  using Mark = ProgressRow::Mark;
  const auto seconds = std::chrono::seconds(3);
  StackProgress progress(stack_of(2));
  EXPECT_THAT(progress.rows(seconds), ElementsAre(ProgressRow{Mark::kWaiting, "web", "0/2  waiting  3s"}));
  auto web = service_at(2, "web.2");
  web.mutable_status()->set_message("waits for service db to start");
  progress.put(web);
  EXPECT_EQ(progress.rows(seconds).front().text, "0/2  waits for service db to start  3s");
  progress.put(task_of("a", 1, "web.2", v1::RUNNING));
  auto late = task_of("b", 2, "web.2", v1::PREPARING);
  late.mutable_status()->set_message("pulling web:2");
  progress.put(late);
  EXPECT_THAT(progress.rows(seconds),
              ElementsAre(ProgressRow{Mark::kWorking, "web", "1/2  preparing: pulling web:2  3s"}));
  progress.put(task_of("b", 2, "web.2", v1::FAILED));
  EXPECT_EQ(progress.rows(seconds).front(), (ProgressRow{Mark::kFailed, "web", "1/2  failed  3s"}));
  progress.put(task_of("b", 2, "web.2", v1::RUNNING));
  EXPECT_EQ(progress.rows(seconds).front(), (ProgressRow{Mark::kDone, "web", "2/2"}));

  StackProgress going(stack_of(1), Goal::kStopped);
  going.put(task_of("a", 1, "web.2", v1::RUNNING));
  EXPECT_EQ(going.rows(seconds).front(), (ProgressRow{Mark::kWorking, "web", "stopping  3s"}));
  going.remove_task("a");
  EXPECT_EQ(going.rows(seconds).front(), (ProgressRow{Mark::kDone, "web", "stopped"}));
}

TEST(StackProgress, ShowsHowMuchOfAnImageCame) {
  auto stack = stack_of(1);
  stack.mutable_spec()->mutable_services(0)->mutable_spec()->mutable_container()->set_image("nginx:1");
  StackProgress progress(stack);
  progress.put(service_at(2, "web.2"));
  progress.put(task_of("a", 1, "web.2", v1::PREPARING));
  v1::PullProgress pull;
  pull.set_reference("docker.io/library/nginx:1");
  pull.set_node("tower");
  pull.set_total_bytes(45'000'000);
  progress.put(pull, {});
  EXPECT_EQ(progress.rows({}).front().text, "0/1  preparing  0s") << "another node pulls it";
  pull.set_node("nas");
  progress.put(pull, {});
  EXPECT_EQ(progress.rows({}).front().text, "0/1  pulling 0.0 of 45.0 MB  0s");
}

TEST(StackProgress, UrlsOfPublishedPortsOnce) {
  StackProgress progress(stack_of(2));
  for (std::uint32_t slot : {1u, 2u}) {
    auto task = task_of(std::to_string(slot), slot, "web.3", v1::RUNNING);
    auto& port = *task.mutable_spec()->mutable_assignment()->add_ports();
    port.set_host_port(8080);
    port.set_protocol("tcp");
    auto& udp = *task.mutable_spec()->mutable_assignment()->add_ports();
    udp.set_host_port(53);
    udp.set_protocol("udp");
    progress.put(task);
  }
  EXPECT_THAT(progress.urls(), ElementsAre("http://localhost:8080"));
}

}  // namespace
}  // namespace orchion::cli
