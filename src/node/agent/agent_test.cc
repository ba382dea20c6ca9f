// The agent's loops against a scripted control plane, on a turned clock.

#include "node/agent/agent.h"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class AgentTest : public AgentLab {
 protected:
  // The tasks run under a fresh agent.
  void run_tasks(std::vector<v1::TaskAssignment> tasks) {
    server.full = assignments(std::move(tasks));
    start_agent();
    advance(seconds(1));
  }

  void want(v1::TaskAssignment task, v1::DesiredState desired) {
    task.mutable_task()->mutable_spec()->set_desired_state(desired);
    v1::Assignments delta;
    *delta.add_tasks() = std::move(task);
    server.send_delta(std::move(delta));
    settle();
  }

  std::vector<v1::TaskState> states_told(const std::string& uid) {
    std::vector<v1::TaskState> result;
    for (const auto& report : server.told[uid]) {
      if (result.empty() || result.back() != report.status().state()) result.push_back(report.status().state());
    }
    return result;
  }
};

TEST_F(AgentTest, StartsWhatIsAssignedAndReportsEachState) {
  auto web = task("a");
  auto& port = *web.mutable_task()->mutable_spec()->mutable_assignment()->add_ports();
  port.set_host_port(8080);
  port.set_container_port(80);
  run_tasks({web});
  EXPECT_EQ(server.hellos.at(0).hostname(), "nas.home");
  EXPECT_EQ(server.hellos.at(0).labels().at("disk"), "big");
  EXPECT_EQ(server.hellos.at(0).capabilities().memory_bytes(), 1000);
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(status("a").attempt(), 1u);
  EXPECT_EQ(status("a").pid(), runtime.pid("a"));
  EXPECT_EQ(status("a").image_digest(), "sha256:web:1");
  EXPECT_EQ(states_told("a").back(), v1::RUNNING);
  EXPECT_THAT(runtime.operations, ElementsAre("prepare a", "start a 1"));
  EXPECT_EQ(runtime.containers.at("a").config.network_namespace, "/netns/a");
  EXPECT_EQ(networks.attached.at("a").attachments.at(0).address, "10.0.0.11");
  EXPECT_TRUE(networks.published.contains("a"));
  EXPECT_EQ(networks.resolver_port, resolver.port());
  EXPECT_TRUE(resolver.addresses.contains("10.0.0.1"));
  EXPECT_TRUE(records->knows(boost::asio::ip::make_address("10.0.0.11")));
  EXPECT_THAT(images.used, ElementsAre("sha256:web:1", "web:1"));
}

TEST_F(AgentTest, ChecksTheHealthOfWhatRuns) {
  auto web = task("a");
  auto& check = *web.mutable_container()->mutable_health_check();
  check.mutable_test()->add_values("CMD-SHELL");
  check.mutable_test()->add_values("ok");
  check.mutable_interval()->set_seconds(10);
  check.mutable_timeout()->set_seconds(1);
  check.set_retries(2);
  web.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  runtime.exec_code = 3;
  run_tasks({web});
  EXPECT_EQ(status("a").health(), v1::HEALTH_STARTING);
  EXPECT_THAT(runtime.execs.at(0).arguments, ElementsAre("/bin/sh", "-c", "ok"));
  runtime.exec_code = 0;
  advance(seconds(5));
  EXPECT_EQ(status("a").health(), v1::HEALTH_GOOD);
  runtime.exec_code = 3;
  advance(seconds(40));
  EXPECT_EQ(status("a").health(), v1::HEALTH_BAD);
  EXPECT_EQ(status("a").health_message(), "exit code 3: said");
  EXPECT_EQ(status("a").state(), v1::RUNNING);
  EXPECT_EQ(status("a").attempt(), 1u) << "`restart: no` is obeyed";

  kill_agent();
  start_agent();
  runtime.exec_code = 0;
  advance(seconds(20));
  EXPECT_EQ(status("a").health(), v1::HEALTH_GOOD) << "an adopted task is checked too";
  runtime.exec_code.reset();
  advance(seconds(40));
  EXPECT_EQ(status("a").health(), v1::HEALTH_BAD);
  EXPECT_THAT(status("a").health_message(), HasSubstr("took longer than 1000 ms"));

  const auto checks = runtime.execs.size();
  runtime.end("a", 1);
  settle();
  EXPECT_EQ(status("a").health(), v1::NOT_CHECKED);
  EXPECT_EQ(runtime.execs.size(), checks);
}

class UnhealthyTest : public AgentTest {
 protected:
  // Its check, which the image brings along, fails from now on; up to the moment when that counts.
  void fall_ill() {
    const core::ImageHealthCheck check{.test = {"CMD", "ok"}, .interval = 10'000'000'000, .retries = 2};
    images.add("web:1", {.command = {"/bin/true"}, .health_check = check});
    runtime.exec_code = 0;
    auto ill = task("a");
    ill.mutable_task()->mutable_spec()->mutable_assignment()->add_ports()->set_host_port(8080);
    run_tasks({ill});
    advance(seconds(5));
    ASSERT_EQ(status("a").health(), v1::HEALTH_GOOD);
    runtime.exec_code = 3;
    advance(seconds(20));
  }
};

TEST_F(UnhealthyTest, IsRestarted) {
  fall_ill();
  advance(seconds(1));
  EXPECT_THAT(runtime.containers.at("a").signals, ElementsAre(SIGTERM));
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_EQ(status("a").restarts(), 1u);
  EXPECT_EQ(status("a").last_end(), "failed its health check 2 times: exit code 3: said");
  EXPECT_EQ(status("a").state(), v1::RUNNING);
  EXPECT_EQ(status("a").health(), v1::HEALTH_STARTING) << "the new attempt begins anew";
  EXPECT_TRUE(networks.published.contains("a"));
  std::vector<std::string> said;
  for (const auto& report : server.told.at("a")) said.push_back(report.status().message());
  EXPECT_THAT(said, testing::Contains("is unhealthy (exit code 3: said): it is restarted"));
  EXPECT_THAT(said,
              testing::Contains(HasSubstr("failed its health check 2 times: exit code 3: said; restarts at once")));
  runtime.exec_code = 0;
  advance(seconds(60));
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_EQ(status("a").health(), v1::HEALTH_GOOD);
}

TEST_F(UnhealthyTest, IsKilledAfterItsGrace) {
  runtime.stubborn.insert("a");
  fall_ill();
  EXPECT_EQ(status("a").attempt(), 1u);
  EXPECT_FALSE(networks.published.contains("a")) << "nobody is sent to it any more";
  EXPECT_EQ(status("a").state(), v1::RUNNING);
  advance(seconds(11));
  EXPECT_THAT(runtime.containers.at("a").signals, ElementsAre(SIGTERM, SIGKILL));
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_EQ(status("a").state(), v1::RUNNING);
}

TEST_F(UnhealthyTest, EndsWhereItIsNoLongerWanted) {
  runtime.stubborn.insert("a");
  fall_ill();
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  delta.add_removed_networks("net-uid");
  server.send_delta(delta);
  advance(seconds(15));
  EXPECT_EQ(runtime.count("start a 2"), 0u);
  expect_nothing_left();
}

TEST_F(UnhealthyTest, AnEngineThatCannotBeAskedSaysNothingAboutIt) {
  fall_ill();
  advance(seconds(1));
  runtime.exec_code = 0;
  advance(seconds(10));
  ASSERT_EQ(status("a").health(), v1::HEALTH_GOOD);
  runtime.exec_error = base::Error{base::Code::kUnavailable, "the engine does not answer: start it", {}};
  advance(seconds(120));
  EXPECT_EQ(status("a").health(), v1::HEALTH_GOOD);
  EXPECT_EQ(status("a").attempt(), 2u);
}

class ReadinessTest : public AgentTest {
 protected:
  // A task with a readiness check and a published port, in a network where its name is known.
  void run_web() {
    auto web = task("a");
    web.mutable_task()->mutable_spec()->mutable_assignment()->add_ports()->set_host_port(8080);
    auto& check = *web.mutable_container()->mutable_readiness();
    check.mutable_test()->add_values("CMD-SHELL");
    check.mutable_test()->add_values("ok");
    check.mutable_interval()->set_seconds(10);
    check.set_retries(2);
    auto all = assignments({web});
    auto& endpoint = *all.add_endpoints();
    endpoint.set_serving(true);
    endpoint.set_task_uid("a");
    endpoint.set_network_uid("net-uid");
    endpoint.set_address("10.0.0.11");
    endpoint.set_stack("shop");
    endpoint.set_service("web");
    server.full = all;
    start_agent();
    advance(seconds(1));
  }
  bool is_named() { return !found("web").empty(); }
  bool is_published() { return networks.published.contains("a"); }
};

TEST_F(ReadinessTest, NamesAndPortsLeadToWhatIsReady) {
  runtime.exec_code = 3;
  run_web();
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(status("a").readiness(), v1::HEALTH_STARTING);
  EXPECT_EQ(status("a").health(), v1::NOT_CHECKED);
  EXPECT_FALSE(is_published());
  EXPECT_FALSE(is_named());
  runtime.exec_code = 0;
  advance(seconds(5));
  EXPECT_EQ(status("a").readiness(), v1::HEALTH_GOOD);
  EXPECT_TRUE(is_published());
  EXPECT_TRUE(is_named());
  runtime.exec_code = 3;
  advance(seconds(21));
  EXPECT_EQ(status("a").readiness(), v1::HEALTH_BAD);
  EXPECT_EQ(status("a").readiness_message(), "exit code 3: said");
  EXPECT_FALSE(is_published());
  EXPECT_FALSE(is_named());
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(status("a").attempt(), 1u) << "it isn't restarted for that";
}

TEST_F(ReadinessTest, IsFollowedWithoutTheControlPlane) {
  runtime.exec_code = 0;
  run_web();
  ASSERT_TRUE(is_named());
  server.away = true;
  server.hang_up();
  runtime.exec_code = 3;
  advance(seconds(21));
  EXPECT_FALSE(is_published());
  EXPECT_FALSE(is_named());
  runtime.exec_code = 0;
  advance(seconds(11));
  EXPECT_TRUE(is_published());
  EXPECT_TRUE(is_named());
}

TEST_F(ReadinessTest, IsRememberedByAnAgentThatStartsAgain) {
  runtime.exec_code = 3;
  run_web();
  advance(seconds(40));
  ASSERT_EQ(status("a").readiness(), v1::HEALTH_BAD);
  kill_agent();
  networks.published.insert("a");  // the old one was killed before it could withdraw them
  start_agent();
  settle();
  EXPECT_FALSE(is_published());
  EXPECT_FALSE(is_named());
  EXPECT_EQ(status("a").readiness(), v1::HEALTH_BAD);
  runtime.exec_code = 0;
  advance(seconds(11));
  EXPECT_TRUE(is_published());
  EXPECT_TRUE(is_named());
}

TEST_F(ReadinessTest, WhatIsToEndIsAskedNoMore) {
  runtime.exec_code = 0;
  runtime.stubborn.insert("a");
  run_web();
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  server.send_delta(delta);
  advance(seconds(1));
  ASSERT_EQ(state("a"), v1::STOPPING);
  const auto asked = runtime.execs.size();
  advance(seconds(9));
  EXPECT_EQ(runtime.execs.size(), asked);
}

TEST_F(AgentTest, AStartupThatFailsForGoodIsARestart) {
  auto web = task("a");
  auto& check = *web.mutable_container()->mutable_startup();
  check.mutable_test()->add_values("CMD-SHELL");
  check.mutable_test()->add_values("ok");
  check.mutable_interval()->set_seconds(10);
  check.set_retries(2);
  runtime.exec_code = 3;
  run_tasks({web});
  EXPECT_EQ(status("a").health(), v1::HEALTH_STARTING);
  advance(seconds(40));
  EXPECT_GE(status("a").attempt(), 2u);
  EXPECT_EQ(status("a").last_end(), "failed its health check 2 times: exit code 3: said");
  runtime.exec_code = 0;
  advance(seconds(40));
  EXPECT_EQ(status("a").health(), v1::HEALTH_GOOD);
}

TEST_F(AgentTest, KnownImagesAreCheckedWhereNobodySaysHow) {
  options.known_images = std::make_shared<const probes::KnownImages>(
      probes::KnownImages().with("web: {images: [web], command: [ok], interval: 10s, retries: 2}").value());
  auto plain = task("a");
  auto disabled = task("b", 2);
  disabled.mutable_container()->mutable_health_check()->set_disabled(true);
  runtime.exec_code = 0;
  run_tasks({plain, disabled});
  EXPECT_EQ(status("a").health(), v1::HEALTH_GOOD);
  EXPECT_EQ(status("b").health(), v1::NOT_CHECKED);
  runtime.exec_code = 3;
  advance(seconds(30));
  EXPECT_GE(status("a").attempt(), 2u) << "it had succeeded once";
  advance(seconds(300));
  EXPECT_EQ(status("a").health(), v1::NOT_CHECKED) << "it has not since its new start";
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_THAT(status("a").health_message(), HasSubstr("known image web never succeeded"));
}

TEST_F(AgentTest, StartsAHundredAtOnceAFewAtATime) {
  options.starts_at_once = 8;
  std::vector<v1::TaskAssignment> tasks;
  for (std::uint32_t i = 1; i <= 100; ++i) tasks.push_back(task("task-" + std::to_string(i), i));
  run_tasks(std::move(tasks));
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(state("task-" + std::to_string(i)), v1::RUNNING) << i;
  EXPECT_LE(runtime.starting_max, 8);
  EXPECT_GE(runtime.starting_max, 4);
}

TEST_F(AgentTest, RestartsACrashedTaskWithGrowingDelays) {
  run_tasks({task("a")});
  const auto first_pid = runtime.pid("a");
  for (const auto delay : {100, 200, 400, 800}) {
    runtime.end("a", 3);
    settle();
    EXPECT_EQ(state("a"), v1::STARTING);
    EXPECT_EQ(status("a").exit_code(), 3);
    EXPECT_THAT(status("a").message(), HasSubstr("exited with 3; restarts in"));
    advance(milliseconds(delay / 2 - 1));
    EXPECT_FALSE(runtime.is_running("a")) << delay;
    advance(milliseconds(delay / 2 + 1));
    EXPECT_TRUE(runtime.is_running("a")) << delay;
  }
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(status("a").attempt(), 5u);
  EXPECT_EQ(status("a").restarts(), 4u);
  EXPECT_FALSE(status("a").has_exit_code());
  EXPECT_TRUE(status("a").message().empty());
  EXPECT_NE(runtime.pid("a"), first_pid);
  EXPECT_EQ(runtime.count("prepare a"), 1u);  // the same writable layer
  EXPECT_EQ(networks.attached.at("a").attachments.at(0).address, "10.0.0.11");

  // Ten good seconds make the next crash a first one.
  advance(seconds(10));
  runtime.end("a", 3);
  advance(milliseconds(100));
  EXPECT_TRUE(runtime.is_running("a"));
}

TEST_F(AgentTest, EndedTasksKeepOnlyTheirOutput) {
  auto job = task("job");
  auto broken = task("broken", 2);
  broken.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  run_tasks({job, broken});
  runtime.end("job", 0);
  runtime.end("broken", 9);
  settle();
  EXPECT_EQ(state("job"), v1::SUCCEEDED);
  EXPECT_EQ(status("job").exit_code(), 0);
  EXPECT_EQ(state("broken"), v1::FAILED);
  EXPECT_EQ(status("broken").message(), "exited with 9");
  EXPECT_EQ(runtime.count("release job"), 1u);
  EXPECT_TRUE(networks.attached.empty());
  EXPECT_FALSE(server.newest.at("job").removed());

  want(job, v1::DESIRED_STOPPED);
  EXPECT_EQ(runtime.count("remove job"), 1u);
  EXPECT_TRUE(server.newest.at("job").removed());
  EXPECT_EQ(state("job"), v1::SUCCEEDED);
}

TEST_F(AgentTest, StopsByTheImagesSignal) {
  images.add("web:1", {.command = {"/web"}, .stop_signal = "SIGQUIT"});
  run_tasks({task("a")});
  want(task("a"), v1::DESIRED_STOPPED);
  EXPECT_THAT(states_told("a"), testing::IsSupersetOf({v1::RUNNING, v1::STOPPED}));
  EXPECT_EQ(state("a"), v1::STOPPED);
  EXPECT_EQ(status("a").exit_code(), 128 + SIGQUIT);
  EXPECT_TRUE(server.newest.at("a").removed());
}

TEST_F(AgentTest, KillsWhatOutlivesItsGrace) {
  auto web = task("a");
  web.mutable_container()->mutable_stop_grace_period()->set_seconds(3);
  run_tasks({web});
  runtime.stubborn.insert("a");
  want(web, v1::DESIRED_STOPPED);
  EXPECT_EQ(state("a"), v1::STOPPING);
  advance(milliseconds(2999));
  EXPECT_THAT(runtime.containers.at("a").signals, ElementsAre(SIGTERM));
  EXPECT_TRUE(runtime.is_running("a"));
  advance(milliseconds(1));
  EXPECT_EQ(state("a"), v1::STOPPED);
  EXPECT_EQ(status("a").exit_code(), 137);
}

TEST_F(AgentTest, ARemovedTaskLeavesNothing) {
  auto web = task("a");
  web.mutable_task()->mutable_spec()->mutable_assignment()->add_ports()->set_host_port(80);
  run_tasks({web});
  v1::Assignments delta;
  delta.add_removed_tasks("a");
  delta.add_removed_networks("net-uid");
  server.send_delta(delta);
  advance(seconds(1));
  EXPECT_TRUE(server.newest.at("a").removed());
  EXPECT_FALSE(records->knows(boost::asio::ip::make_address("10.0.0.11")));
  EXPECT_TRUE(images.used.empty());
  expect_nothing_left();
}

TEST_F(AgentTest, RemembersWhatWasRemovedUntilItMayForget) {
  server.forgets = false;
  run_tasks({task("a")});
  want(task("a"), v1::DESIRED_STOPPED);
  EXPECT_TRUE(server.newest.at("a").removed());
  kill_agent();
  server.newest.clear();
  server.full = assignments({});
  start_agent();
  advance(seconds(1));
  ASSERT_TRUE(server.newest.contains("a"));
  EXPECT_TRUE(server.newest.at("a").removed());
  EXPECT_EQ(state("a"), v1::STOPPED);
  v1::ToAgent forget;
  forget.set_forget_task("a");
  server.send(forget);
  settle();
  EXPECT_TRUE(std::filesystem::is_empty(options.folder / "tasks"));
}

TEST_F(AgentTest, AdoptsWhatAKilledAgentLeft) {
  run_tasks({task("a"), task("b", 2)});
  const auto pid = runtime.pid("a");
  kill_agent();
  EXPECT_TRUE(runtime.is_running("a"));
  runtime.end("b", 1);  // while nobody watches
  start_agent();
  advance(seconds(1));
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(status("a").attempt(), 1u);
  EXPECT_EQ(status("a").restarts(), 0u);
  EXPECT_EQ(status("a").pid(), pid);
  EXPECT_EQ(runtime.pid("a"), pid);
  EXPECT_EQ(runtime.count("start a 1"), 1u);
  EXPECT_EQ(status("b").attempt(), 2u);
  EXPECT_TRUE(runtime.is_running("b"));
  EXPECT_EQ(server.hellos.back().node_uid(), "node-uid");
}

TEST_F(AgentTest, AdoptedTasksAreWatchedAndPublishedAgain) {
  auto web = task("a");
  web.mutable_task()->mutable_spec()->mutable_assignment()->add_ports()->set_host_port(80);
  run_tasks({web});
  kill_agent();
  networks.published.clear();
  start_agent();
  advance(seconds(1));
  EXPECT_TRUE(networks.published.contains("a"));
  runtime.end("a", 1);
  advance(seconds(1));
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_EQ(state("a"), v1::RUNNING);
}

TEST_F(AgentTest, StartsAnewAfterAReboot) {
  auto once = task("once", 2);
  once.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  run_tasks({task("a"), once});
  kill_agent();
  runtime.reboot();
  networks.made.clear();
  networks.attached.clear();
  options.boot_id = "boot-2";
  server.away = true;
  start_agent();
  advance(seconds(1));
  EXPECT_TRUE(runtime.is_running("a"));  // though no control plane answers
  EXPECT_TRUE(networks.attached.contains("a"));
  EXPECT_FALSE(runtime.containers.contains("once"));
  server.away = false;
  advance(seconds(10));
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(state("once"), v1::FAILED);
  EXPECT_THAT(status("once").message(), HasSubstr("its container is gone"));
}

TEST_F(AgentTest, RemovesContainersNobodyKnows) {
  runtime.containers["stranger"].info.id = "stranger";
  networks.attached["stranger"].task_uid = "stranger";
  start_agent();
  EXPECT_TRUE(runtime.containers.empty());
  EXPECT_TRUE(networks.attached.empty());
}

TEST_F(AgentTest, StopsWhatIsNoLongerAssigned) {
  run_tasks({task("a"), task("b", 2)});
  kill_agent();
  server.full = assignments({task("b", 2)});
  start_agent();
  advance(seconds(1));
  EXPECT_FALSE(runtime.containers.contains("a"));
  EXPECT_TRUE(server.newest.at("a").removed());
  EXPECT_TRUE(runtime.is_running("b"));
}

TEST_F(AgentTest, StopsWhatWasDeclaredLost) {
  run_tasks({task("a")});
  want(task("a"), v1::DESIRED_LOST);
  EXPECT_EQ(state("a"), v1::STOPPED);
  EXPECT_TRUE(runtime.containers.empty());
}

// What a server that is shut down answers to the calls it cancels.
TEST_F(AgentTest, ConnectsAgainAfterTheServerCancelledTheSession) {
  run_tasks({task("a")});
  server.hang_up(base::Code::kCancelled);
  advance(seconds(10));
  EXPECT_TRUE(server.has_session());
  EXPECT_EQ(server.hellos.size(), 2u);
  EXPECT_TRUE(agent->connected());
}

TEST_F(AgentTest, GoesOnAloneWhileTheControlPlaneIsAway) {
  run_tasks({task("a"), task("b", 2)});
  const auto pid = runtime.pid("b");
  server.away = true;
  server.hang_up();
  advance(seconds(60));
  runtime.end("a", 1);
  advance(seconds(1));
  EXPECT_TRUE(runtime.is_running("a"));
  EXPECT_EQ(status("a").attempt(), 1u);  // nobody could be told
  server.newest.clear();
  server.away = false;
  advance(seconds(10));
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_EQ(state("b"), v1::RUNNING);  // told again, though nothing changed
  EXPECT_EQ(runtime.pid("b"), pid);
}

TEST_F(AgentTest, StopsFencedTasksWhenItsLeaseEnds) {
  auto fenced = task("fenced", 2);
  fenced.set_on_node_loss(v1::FENCE);
  run_tasks({task("a"), fenced});
  advance(seconds(60));
  EXPECT_TRUE(runtime.is_running("fenced")) << "its lease is renewed";
  server.away = true;
  server.hang_up();
  advance(seconds(24));
  EXPECT_TRUE(runtime.is_running("fenced"));
  advance(seconds(7));
  EXPECT_FALSE(runtime.is_running("fenced"));
  EXPECT_TRUE(runtime.is_running("a"));
  server.away = false;
  advance(seconds(10));
  EXPECT_EQ(state("fenced"), v1::STOPPED);
  EXPECT_THAT(status("fenced").message(), HasSubstr("on_node_loss: fence"));
}

TEST_F(AgentTest, AnAgentThatWasAwayForLongerThanItsLeaseFindsNothingFencedRunning) {
  auto fenced = task("fenced");
  fenced.set_on_node_loss(v1::FENCE);
  run_tasks({fenced});
  server.away = true;
  kill_agent();
  advance(seconds(20));
  start_agent();
  advance(seconds(1));
  EXPECT_TRUE(runtime.is_running("fenced")) << "the lease of the process before counts on";
  kill_agent();
  advance(seconds(20));
  start_agent();
  advance(seconds(1));
  EXPECT_FALSE(runtime.is_running("fenced"));
}

TEST_F(AgentTest, ColdStartsWithoutAControlPlane) {
  run_tasks({task("a")});
  v1::Assignments delta;
  auto& endpoint = *delta.add_endpoints();
  endpoint.set_task_uid("far");
  endpoint.set_network_uid("net-uid");
  endpoint.set_address("10.0.0.99");
  endpoint.set_stack("shop");
  endpoint.set_service("db");
  endpoint.set_serving(true);
  server.send_delta(delta);
  advance(seconds(1));
  EXPECT_THAT(found("db"), ElementsAre("10.0.0.99"));
  kill_agent();
  server.away = true;
  start_agent();
  advance(seconds(1));
  EXPECT_THAT(found("db"), ElementsAre("10.0.0.99"));
  EXPECT_TRUE(resolver.addresses.contains("10.0.0.1"));
  EXPECT_TRUE(runtime.is_running("a"));
}

TEST_F(AgentTest, ReconnectsWhenAChangeIsMissing) {
  run_tasks({task("a")});
  server.skip_a_number();
  v1::Assignments delta;
  *delta.add_tasks() = task("b", 2);
  server.send_delta(delta);
  settle();
  EXPECT_FALSE(runtime.containers.contains("b"));
  server.full = assignments({task("a"), task("b", 2)});
  advance(seconds(1));
  EXPECT_EQ(server.hellos.size(), 2u);
  EXPECT_TRUE(runtime.is_running("b"));
  EXPECT_EQ(runtime.count("start a 1"), 1u);
}

TEST_F(AgentTest, ReconnectsEverSlowerUpToTenSeconds) {
  server.away = true;
  start_agent();
  advance(seconds(60));
  auto gap = [&](std::size_t i) { return server.dialled.at(i + 1) - server.dialled.at(i); };
  EXPECT_LT(gap(0), milliseconds(101));
  EXPECT_GE(gap(0), milliseconds(50));
  const auto last = server.dialled.size() - 2;
  EXPECT_GE(gap(last), seconds(5));
  EXPECT_LE(gap(last), milliseconds(10'001));
}

TEST_F(AgentTest, GivesUpASilentConnection) {
  run_tasks({});
  server.answers_heartbeats = false;
  advance(seconds(30));
  EXPECT_GE(server.hellos.size(), 2u);
}

TEST_F(AgentTest, HeartbeatsCarryCapabilitiesOnlyWhenTheyChanged) {
  run_tasks({});
  advance(seconds(10));
  ASSERT_EQ(server.heartbeats.size(), 2u);
  EXPECT_FALSE(server.heartbeats.at(1).has_capabilities());
  capabilities.set_memory_available_bytes(40);  // less than a twentieth
  advance(seconds(5));
  EXPECT_FALSE(server.heartbeats.at(2).has_capabilities());
  capabilities.set_memory_available_bytes(500);
  advance(seconds(5));
  EXPECT_EQ(server.heartbeats.at(3).capabilities().memory_available_bytes(), 500);
}

TEST_F(AgentTest, RefusesAnotherCluster) {
  run_tasks({task("a")});
  kill_agent();
  server.cluster_id = "stranger";
  server.full = assignments({});
  start_agent();
  advance(seconds(5));
  EXPECT_FALSE(agent->connected());
  EXPECT_TRUE(runtime.is_running("a"));
}

TEST_F(AgentTest, RetriesWhatCanHealAndSaysSo) {
  networks.attach_error = base::Error{base::Code::kFailedPrecondition, "port 80 is taken by nginx: stop it", {}};
  run_tasks({task("a")});
  EXPECT_EQ(state("a"), v1::PREPARING);
  EXPECT_THAT(status("a").message(), HasSubstr("port 80 is taken by nginx: stop it; trying again in"));
  networks.attach_error.reset();
  advance(seconds(5));
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(status("a").attempt(), 1u);
  EXPECT_TRUE(status("a").message().empty());
}

TEST_F(AgentTest, AsksSlowlyForAnImageThatDoesNotExist) {
  images.errors["web:1"] = {base::Code::kNotFound, "no registry has web:1: check its name", {}};
  run_tasks({task("a")});
  EXPECT_THAT(status("a").message(), HasSubstr("no registry has web:1: check its name; trying again in 10.0 s"));
  advance(seconds(8));
  EXPECT_EQ(images.ensured, 1);
  images.errors.clear();
  advance(seconds(2));
  EXPECT_EQ(state("a"), v1::RUNNING);
}

TEST_F(AgentTest, ACommandThatDoesNotExistIsAFailedAttempt) {
  auto web = task("a");
  web.mutable_restart()->set_condition(v1::RestartPolicy::ON_FAILURE);
  web.mutable_restart()->set_max_attempts(1);
  runtime.start_errors["a"] = {base::Code::kNotFound, "the image has no /web: check `command:`", {}};
  run_tasks({web});
  EXPECT_EQ(status("a").attempt(), 2u);
  EXPECT_EQ(state("a"), v1::RUNNING);
  runtime.start_errors["b"] = {base::Code::kPermissionDenied, "/web isn't executable: run `chmod +x`", {}};
  auto other = task("b", 2);
  other.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  want(other, v1::DESIRED_RUNNING);
  EXPECT_EQ(state("b"), v1::FAILED);
  EXPECT_EQ(status("b").exit_code(), 126);
  EXPECT_EQ(status("b").message(), "/web isn't executable: run `chmod +x`");
}

TEST_F(AgentTest, SaysWhatToDoAboutAMissingMount) {
  auto web = task("a");
  auto& mount = *web.mutable_container()->add_mounts();
  mount.set_type(v1::Mount::BIND);
  mount.set_source((folder / "data").string());
  mount.set_target("/data");
  run_tasks({web});
  EXPECT_THAT(status("a").message(), HasSubstr("create it there, or set `create_host_path: true`"));
  ASSERT_TRUE(base::make_folders(folder / "data").has_value());
  advance(seconds(5));
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(runtime.containers.at("a").config.mounts.at(0).source, folder / "data");
}

TEST_F(AgentTest, FindsVolumesAndMakesHostFolders) {
  auto web = task("a");
  auto& volume = *web.mutable_container()->add_mounts();
  volume.set_type(v1::Mount::VOLUME);
  volume.set_source("data");
  volume.set_target("/data");
  auto& bind = *web.mutable_container()->add_mounts();
  bind.set_type(v1::Mount::BIND);
  bind.set_source((folder / "made").string());
  bind.set_target("/made");
  bind.set_create_host_path(true);
  auto& meta = *web.add_volumes()->mutable_meta();
  meta.set_name("data");
  meta.set_uid("volume-uid");
  run_tasks({web});
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(runtime.containers.at("a").config.mounts.at(0).source, "/volumes/volume-uid");
  EXPECT_TRUE(std::filesystem::is_directory(folder / "made"));
}

TEST_F(AgentTest, ADamagedCheckpointTouchesNothing) {
  run_tasks({task("a")});
  kill_agent();
  const auto file = options.folder / "tasks" / "a.checkpoint";
  auto bytes = base::read_file(file).value();
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(base::write_file(file, bytes).has_value());
  const auto started = try_start_agent();
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, base::Code::kDataLoss);
  EXPECT_THAT(started.error().message, HasSubstr("a.checkpoint is damaged: nothing was touched; to go on without it"));
  EXPECT_TRUE(runtime.is_running("a"));
}

TEST_F(AgentTest, ReportsImagesWhenTheyChange) {
  images.add("db:1");
  run_tasks({task("a")});
  ASSERT_TRUE(server.images.has_value());
  EXPECT_EQ(server.images->images().size(), 2);  // the task's came too
}

TEST_F(AgentTest, SaysGoodbyeOnlyWhenAsked) {
  run_tasks({task("a")});
  ASSERT_TRUE(finish(agent->shutdown(Agent::Goodbye::kLeaving)).has_value());
  EXPECT_TRUE(server.left);
  EXPECT_TRUE(runtime.is_running("a"));
}

TEST_F(AgentTest, TasksInBackoffStopAtOnce) {
  run_tasks({task("a")});
  runtime.end("a", 1);
  settle();
  want(task("a"), v1::DESIRED_STOPPED);
  EXPECT_EQ(state("a"), v1::STOPPED);
  EXPECT_TRUE(server.newest.at("a").removed());
  EXPECT_TRUE(runtime.containers.empty());
}

}  // namespace
}  // namespace orchion::node::agent
