#include "mesh/ingress/server_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace orchion::mesh::ingress {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kState[] =
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state …\n"
    "4 shop.web.main 1 t1 10.0.0.2 2 0 1 1 24 1 0 2 0 0 0 0 - 8080 - 0 0 - - 0\n"
    "4 shop.web.main 2 t2 10.0.0.3 0 1 1 1 24 1 0 2 0 0 0 0 - 8443 - 1 0 - - 0\n\n";

TEST(ServerChanges, TheStateIsRead) {
  const auto running = parse_servers(kState);
  ASSERT_TRUE(running) << running.error().message;
  EXPECT_EQ(running->at("shop.web.main").at("t1"), (RunningServer{{"10.0.0.2", 8080, false}, true}));
  EXPECT_EQ(running->at("shop.web.main").at("t2"), (RunningServer{{"10.0.0.3", 8443, true}, false}));
}

TEST(ServerChanges, WhatIsNoStateIsRefused) {
  EXPECT_FALSE(parse_servers(""));
  EXPECT_FALSE(parse_servers("2\n"));
  EXPECT_FALSE(parse_servers("1\n4 web 1 t1\n"));
  EXPECT_FALSE(parse_servers("Unknown command\n"));
  EXPECT_TRUE(parse_servers("1\n# headings\n\n")->empty());
}

TEST(ServerChanges, NewOnesComeBeforeOldOnesGo) {
  const Backends wanted{{"b", {.servers = {{"t2", {"10.0.0.3", 80, false}}}}}};
  const RunningBackends running{{"b", {{"t1", {{"10.0.0.2", 80, false}, true}}}}};
  EXPECT_THAT(server_changes(wanted, running),
              ElementsAre("add server b/t2 10.0.0.3:80 pool-max-conn -1 pool-purge-delay 5s",
                          "set server b/t2 state ready", "set server b/t1 state maint", "del server b/t1"));
}

TEST(ServerChanges, WhoLeavesIsDeletedWhenItsConnectionsAreGone) {
  const Backends wanted{{"b", {}}};
  EXPECT_THAT(server_changes(wanted, {{"b", {{"t1", {{"10.0.0.2", 80, false}, false}}}}}),
              ElementsAre("del server b/t1"));
}

TEST(ServerChanges, WhoComesBackIsReadyAgain) {
  const Backends wanted{{"b", {.servers = {{"t1", {"10.0.0.2", 80, false}}}}}};
  EXPECT_THAT(server_changes(wanted, {{"b", {{"t1", {{"10.0.0.2", 80, false}, false}}}}}),
              ElementsAre("set server b/t1 state ready"));
}

TEST(ServerChanges, AnotherAddressIsAnotherServer) {
  const Backends wanted{{"b", {.servers = {{"t1", {"10.0.0.2", 80, true}}}}}};
  EXPECT_THAT(server_changes(wanted, {{"b", {{"t1", {{"10.0.0.9", 80, true}, true}}}}}),
              ElementsAre("set server b/t1 state maint", "del server b/t1"));
  EXPECT_THAT(server_changes(wanted, {}),
              ElementsAre("add server b/t1 10.0.0.2:80 pool-max-conn -1 pool-purge-delay 5s ssl verify none",
                          "set server b/t1 state ready"));
}

TEST(ServerChanges, StickyBackendsReckonCookiesOfNewOnes) {
  const Backends wanted{{"b", {.sticky = true, .servers = {{"t1", {"10.0.0.2", 80, false}}}}}};
  EXPECT_THAT(server_changes(wanted, {}),
              ElementsAre("add server b/t1 10.0.0.2:80 pool-max-conn -1 pool-purge-delay 5s",
                          "set server b/t1 state ready", "enable dynamic-cookie backend b"));
}

// Obeyed as HAProxy would, the commands lead from any servers to those that are wanted, and then there are none left.
TEST(ServerChanges, FromAnythingToAnything) {
  auto random = base::Random(7);
  const auto pick = [&](std::uint64_t n) { return random.next() % n; };
  for (int round = 0; round < 500; ++round) {
    Backends wanted{{"b", {}}};
    RunningBackends running{{"b", {}}};
    for (int i = 0; i < 6; ++i) {
      const auto name = "t" + std::to_string(i);
      const auto line = [&] { return ServerLine{"10.0.0." + std::to_string(pick(3)), 80, false}; };
      if (pick(2) == 0) wanted["b"].servers[name] = line();
      if (pick(2) == 0) running["b"][name] = {line(), pick(2) == 0};
    }
    for (int turn = 0; turn < 2; ++turn) {
      for (const auto& command : server_changes(wanted, running)) {
        const auto name = command.substr(command.find('/') + 1, 2);
        auto& servers = running["b"];
        if (command.starts_with("add")) {
          ASSERT_FALSE(servers.contains(name));
          servers[name] = {wanted["b"].servers[name], false};
        } else if (command.starts_with("del")) {
          ASSERT_FALSE(servers.at(name).takes_requests);
          servers.erase(name);
        } else {
          servers.at(name).takes_requests = command.ends_with("ready");
        }
      }
    }
    EXPECT_THAT(server_changes(wanted, running), IsEmpty());
    for (const auto& [name, line] : wanted["b"].servers)
      EXPECT_EQ(running["b"].at(name), (RunningServer{line, true})) << name;
    EXPECT_EQ(running["b"].size(), wanted["b"].servers.size());
  }
}

}  // namespace
}  // namespace orchion::mesh::ingress
