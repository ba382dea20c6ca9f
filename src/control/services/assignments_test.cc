#include "control/services/assignments.h"

#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "core/lifecycle.h"

namespace orchion::control::services {
namespace {

constexpr char kNode[] = "node-1";

// A view that transactions are played into, each as a commit, with what the feed says about it.
class AssignmentFeedTest : public testing::Test {
 protected:
  AssignmentFeedTest() {
    v1::Network network;
    network.mutable_meta()->set_stack("shop");
    network.mutable_meta()->set_name("default");
    network.mutable_meta()->set_uid("net");
    network.mutable_status()->set_subnet("10.192.0.0/20");
    network.mutable_status()->set_gateway("10.192.0.1");
    v1::Revision revision;
    revision.mutable_meta()->set_stack("shop");
    revision.mutable_meta()->set_name("web.1");
    revision.mutable_meta()->set_uid("revision");
    auto& container = *revision.mutable_spec()->mutable_template_()->mutable_container();
    container.set_image("nginx");
    auto& attachment = *container.add_networks();
    attachment.set_network("default");
    attachment.add_aliases("www");
    store::Transaction transaction;
    store::create(transaction, network);
    store::put_status(transaction, network);
    store::create(transaction, revision);
    play(std::move(transaction));
  }

  static v1::Task task(const std::string& uid, const std::string& node, v1::TaskState state) {
    v1::Task task;
    task.mutable_meta()->set_stack("shop");
    task.mutable_meta()->set_name("web." + uid);
    task.mutable_meta()->set_uid(uid);
    task.mutable_spec()->set_service("web");
    task.mutable_spec()->set_revision("web.1");
    task.mutable_spec()->mutable_assignment()->set_node_uid(node);
    auto& address = *task.mutable_spec()->mutable_assignment()->add_addresses();
    address.set_network("default");
    address.set_network_uid("net");
    address.set_address("10.192.0.2");
    task.mutable_status()->set_state(state);
    return task;
  }

  template <class T>
  store::ObjectStore::Commit create(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    store::put_status(transaction, object);
    return play(std::move(transaction));
  }

  store::ObjectStore::Commit play(store::Transaction transaction) {
    store::Commit commit;
    commit.revision = view_.revision() + 1;
    for (auto& operation : transaction.operations) commit.changes.push_back({operation.key, operation.value});
    auto changes = view_.apply(commit);
    EXPECT_TRUE(changes.has_value());
    return {commit.revision, changes.value_or(std::vector<store::ObjectChange>{})};
  }

  store::View view_;
  std::string certificate_ = " first";
  AssignmentFeed feed_{kNode,
                       [this](const auto& hosts) -> base::Result<std::string> { return hosts.front() + certificate_; }};
};

TEST_F(AssignmentFeedTest, TheFullSetHoldsTheNodesTasksTheirNetworksAndWhoAnswersThere) {
  create(task("mine", kNode, v1::PENDING));
  create(task("theirs", "node-2", v1::RUNNING));
  const auto full = feed_.full(view_);
  EXPECT_TRUE(full.full());
  EXPECT_EQ(full.sequence(), 1u);
  ASSERT_EQ(full.tasks_size(), 1);
  EXPECT_EQ(full.tasks(0).task().meta().uid(), "mine");
  EXPECT_EQ(full.tasks(0).container().image(), "nginx");
  ASSERT_EQ(full.networks_size(), 1);
  EXPECT_EQ(full.networks(0).gateway(), "10.192.0.1");
  ASSERT_EQ(full.endpoints_size(), 2);
  for (const auto& endpoint : full.endpoints())
    EXPECT_EQ(endpoint.serving(), endpoint.task_uid() == "theirs") << "names lead to what runs, on whatever node";
  EXPECT_EQ(full.endpoints(0).aliases(0), "www");
}

TEST_F(AssignmentFeedTest, ANodeWithoutTasksOfANetworkHearsNothingOfIt) {
  const auto full = feed_.full(view_);
  EXPECT_EQ(full.networks_size(), 0);
  EXPECT_FALSE(feed_.delta(view_, create(task("theirs", "node-2", v1::RUNNING))).has_value());
}

TEST_F(AssignmentFeedTest, DeltasAreNumberedAndSayOnlyWhatChanged) {
  feed_.full(view_);
  auto placed = task("mine", kNode, v1::PENDING);
  const auto first = feed_.delta(view_, create(placed));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->sequence(), 2u);
  EXPECT_EQ(first->tasks_size(), 1);
  EXPECT_EQ(first->networks_size(), 1);
  ASSERT_EQ(first->endpoints_size(), 1) << "nodes know who it is before its first packet";
  EXPECT_FALSE(first->endpoints(0).serving());

  store::Transaction running;
  placed = *view_.tasks().find_uid("mine");
  placed.mutable_status()->set_state(v1::RUNNING);
  store::put_status(running, placed);
  const auto second = feed_.delta(view_, play(std::move(running)));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->tasks_size(), 0) << "the agent's own report is no news to it";
  ASSERT_EQ(second->endpoints_size(), 1);
  EXPECT_TRUE(second->endpoints(0).serving());

  store::Transaction gone;
  store::remove(gone, *view_.tasks().find_uid("mine"));
  const auto third = feed_.delta(view_, play(std::move(gone)));
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->removed_tasks(0), "mine");
  EXPECT_EQ(third->removed_networks(0), "net");
}

TEST_F(AssignmentFeedTest, PortsOfOtherNodesAreToldToEachThatHasNoTask) {
  const auto node = [](const std::string& uid, const std::string& address) {
    v1::Node made;
    made.mutable_meta()->set_name(uid);
    made.mutable_meta()->set_uid(uid);
    made.mutable_status()->set_address(address);
    return made;
  };
  create(node("node-2", "192.0.2.2"));
  create(node("node-3", ""));
  const auto publishing = [](v1::Task task, const std::string& host_ip) {
    auto& port = *task.mutable_spec()->mutable_assignment()->add_ports();
    port.set_host_port(8080);
    port.set_container_port(80);
    port.set_protocol("tcp");
    port.set_host_ip(host_ip);
    return task;
  };
  create(publishing(task("theirs", "node-2", v1::RUNNING), ""));
  create(publishing(task("silent", "node-3", v1::RUNNING), ""));
  create(publishing(task("own", kNode, v1::RUNNING), ""));
  create(publishing(task("local", "node-2", v1::RUNNING), "127.0.0.1"));
  auto host_only = publishing(task("host-only", "node-2", v1::RUNNING), "");
  host_only.mutable_spec()->mutable_assignment()->mutable_ports(0)->set_host_port(9090);
  host_only.mutable_spec()->mutable_assignment()->mutable_ports(0)->set_host_only(true);
  create(host_only);
  const auto full = feed_.full(view_);
  ASSERT_EQ(full.distant_ports().ports_size(), 1);
  const auto& port = full.distant_ports().ports(0);
  EXPECT_EQ(port.owner(), "shop/web");
  EXPECT_EQ(port.port(), 8080u);
  ASSERT_EQ(port.node_addresses_size(), 1) << "only where others can reach it";
  EXPECT_EQ(port.node_addresses(0), "192.0.2.2");
  const auto same = feed_.delta(view_, create(publishing(task("more", "node-2", v1::RUNNING), "")));
  EXPECT_FALSE(same.has_value() && same->has_distant_ports()) << "the node is known by then";

  store::Transaction moved;
  auto third = *view_.nodes().find_uid("node-3");
  third.mutable_status()->set_address("192.0.2.3");
  store::put_status(moved, third);
  const auto more = feed_.delta(view_, play(std::move(moved)));
  ASSERT_TRUE(more.has_value() && more->has_distant_ports());
  EXPECT_EQ(more->distant_ports().ports(0).node_addresses_size(), 2);

  store::Transaction gone;
  for (const char* uid : {"theirs", "more", "silent"}) store::remove(gone, *view_.tasks().find_uid(uid));
  const auto none = feed_.delta(view_, play(std::move(gone)));
  ASSERT_TRUE(none.has_value() && none->has_distant_ports());
  EXPECT_EQ(none->distant_ports().ports_size(), 0);
}

TEST_F(AssignmentFeedTest, NetworksAndEndpointsSayHowNodesReachEachOther) {
  for (const std::string uid : {kNode, "node-2"}) {
    v1::Node node;
    node.mutable_meta()->set_name(uid);
    node.mutable_meta()->set_uid(uid);
    node.mutable_status()->set_address(uid == kNode ? "192.0.2.1" : "192.0.2.2");
    create(node);
  }
  create(task("mine", kNode, v1::RUNNING));
  create(task("theirs", "node-2", v1::RUNNING));
  const auto full = feed_.full(view_);
  for (const auto& endpoint : full.endpoints())
    EXPECT_EQ(endpoint.node_address(), endpoint.task_uid() == "mine" ? "" : "192.0.2.2");

  v1::Node moved = *view_.nodes().find_uid("node-2");
  moved.mutable_status()->set_address("192.0.2.3");
  store::Transaction transaction;
  store::put_status(transaction, moved);
  const auto delta = feed_.delta(view_, play(std::move(transaction)));
  ASSERT_TRUE(delta.has_value());
  ASSERT_EQ(delta->endpoints_size(), 1);
  EXPECT_EQ(delta->endpoints(0).node_address(), "192.0.2.3");
}

TEST_F(AssignmentFeedTest, AnImageThatAnotherNodeHoldsIsSaidToBeThere) {
  v1::Node other;
  other.mutable_meta()->set_name("node-2");
  other.mutable_meta()->set_uid("node-2");
  other.mutable_status()->set_state(v1::NodeStatus::READY);
  create(other);
  v1::Image image;
  image.mutable_meta()->set_name("docker.io/library/nginx:latest");
  image.mutable_status()->add_nodes("node-2");
  create(image);
  auto mine = task("mine", kNode, v1::PENDING);
  mine.mutable_spec()->mutable_assignment()->set_node("node-1");
  create(mine);
  EXPECT_TRUE(feed_.full(view_).tasks(0).image_elsewhere());
  other = *view_.nodes().find_uid("node-2");
  other.mutable_status()->set_state(v1::NodeStatus::LOST);
  store::Transaction transaction;
  store::put_status(transaction, other);
  play(std::move(transaction));
  EXPECT_FALSE(feed_.full(view_).tasks(0).image_elsewhere());
}

TEST_F(AssignmentFeedTest, ATaskGetsWhatItsRevisionIsPinnedTo) {
  feed_.full(view_);
  auto first = feed_.delta(view_, create(task("a", kNode, v1::ASSIGNED)));
  EXPECT_EQ(first.value().tasks(0).container().image_digest(), "");
  v1::Revision pinned = *view_.revisions().find("shop", "web.1");
  pinned.mutable_status()->set_image_digest("sha256:pin");
  store::Transaction transaction;
  store::put_status(transaction, pinned);
  EXPECT_FALSE(feed_.delta(view_, play(std::move(transaction))).has_value()) << "what runs is left alone";
  auto second = feed_.delta(view_, create(task("b", kNode, v1::ASSIGNED)));
  EXPECT_EQ(second.value().tasks(0).container().image_digest(), "sha256:pin");
}

TEST_F(AssignmentFeedTest, DataGoesOnlyWhenOnlyTheAgentIsWaitedFor) {
  v1::Volume volume;
  volume.mutable_meta()->set_stack("shop");
  volume.mutable_meta()->set_name("data");
  volume.mutable_meta()->set_uid("volume");
  volume.mutable_status()->set_node_uid(kNode);
  core::add_finalizer(*volume.mutable_meta(), core::kAgentFinalizer);
  feed_.full(view_);
  EXPECT_FALSE(feed_.delta(view_, create(volume)).has_value()) << "nobody asked for its end";
  volume = *view_.volumes().find_uid("volume");
  core::mark_deleted(*volume.mutable_meta(), base::WallTime(std::chrono::seconds(1)));
  store::Transaction transaction;
  store::put_spec(transaction, volume);
  const auto delta = feed_.delta(view_, play(std::move(transaction)));
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(delta->removed_volumes(0), "volume");
}

TEST_F(AssignmentFeedTest, NamesLeadToWhatIsReady) {
  create(task("mine", kNode, v1::RUNNING));
  auto theirs = task("theirs", "node-2", v1::RUNNING);
  theirs.mutable_status()->set_readiness(v1::HEALTH_STARTING);
  create(theirs);
  theirs = *view_.tasks().find_uid("theirs");
  const auto full = feed_.full(view_);
  ASSERT_EQ(full.endpoints_size(), 2);
  for (const auto& endpoint : full.endpoints()) EXPECT_EQ(endpoint.serving(), endpoint.task_uid() == "mine");
  const auto turn = [&](v1::Health readiness) {
    theirs.mutable_status()->set_readiness(readiness);
    store::Transaction transaction;
    store::put_status(transaction, theirs);
    const auto delta = feed_.delta(view_, play(std::move(transaction)));
    if (!delta) return std::string("nothing");
    EXPECT_EQ(delta->endpoints_size(), 1);
    EXPECT_EQ(delta->removed_endpoints_size(), 0);
    return std::string(delta->endpoints(0).serving() ? "serves" : "waits");
  };
  EXPECT_EQ(turn(v1::HEALTH_GOOD), "serves");
  EXPECT_EQ(turn(v1::HEALTH_BAD), "waits");
  EXPECT_EQ(turn(v1::HEALTH_STARTING), "nothing") << "it waits already";
  EXPECT_EQ(turn(v1::NOT_CHECKED), "serves");
}

TEST_F(AssignmentFeedTest, AnEndpointStaysUntilItsTaskHasEnded) {
  create(task("mine", kNode, v1::RUNNING));
  auto theirs = task("theirs", "node-2", v1::RUNNING);
  create(theirs);
  feed_.full(view_);
  const auto change = [&](const std::function<void(v1::Task&)>& how) {
    theirs = *view_.tasks().find_uid("theirs");
    how(theirs);
    store::Transaction transaction;
    store::put_spec(transaction, theirs);
    store::put_status(transaction, theirs);
    return feed_.delta(view_, play(std::move(transaction)));
  };
  const auto stopping = change([](v1::Task& task) { task.mutable_spec()->set_desired_state(v1::DESIRED_LOST); });
  ASSERT_TRUE(stopping.has_value());
  EXPECT_FALSE(stopping->endpoints(0).serving()) << "a node that nobody hears may still have it send packets";
  const auto ended = change([](v1::Task& task) { task.mutable_status()->set_state(v1::STOPPED); });
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->endpoints_size(), 0);
  EXPECT_EQ(ended->removed_endpoints(0).task_uid(), "theirs");
  store::Transaction gone;
  store::remove(gone, *view_.tasks().find_uid("theirs"));
  EXPECT_FALSE(feed_.delta(view_, play(std::move(gone))).has_value()) << "that is known";
  EXPECT_EQ(feed_.full(view_).endpoints_size(), 1);
}

TEST_F(AssignmentFeedTest, EndpointsSayWhatPoliciesAndVirtualAddressesNeed) {
  v1::Service service;
  service.mutable_meta()->set_stack("shop");
  service.mutable_meta()->set_name("web");
  service.mutable_meta()->set_uid("service");
  (*service.mutable_spec()->mutable_labels())["tier"] = "front";
  auto& own = *service.mutable_status()->add_virtual_addresses();
  own.set_network_uid("net");
  own.set_address("10.192.15.254");
  own.set_address6("fd00::ac0:ffe");
  auto& elsewhere = *service.mutable_status()->add_virtual_addresses();
  elsewhere.set_network_uid("other");
  elsewhere.set_address("10.193.0.1");
  create(service);
  auto mine = task("mine", kNode, v1::RUNNING);
  mine.mutable_spec()->mutable_assignment()->mutable_addresses(0)->set_address6("fd00::ac0:2");
  create(mine);
  const auto endpoint = feed_.full(view_).endpoints(0);
  EXPECT_EQ(endpoint.address6(), "fd00::ac0:2");
  EXPECT_EQ(endpoint.virtual_address(), "10.192.15.254");
  EXPECT_EQ(endpoint.virtual_address6(), "fd00::ac0:ffe");
  EXPECT_EQ(endpoint.labels().at("tier"), "front");
  EXPECT_FALSE(endpoint.of_run());

  const auto change = [&](const std::function<void(v1::Service&)>& how) {
    service = *view_.services().find_uid("service");
    how(service);
    store::Transaction transaction;
    store::put_spec(transaction, service);
    store::put_status(transaction, service);
    return feed_.delta(view_, play(std::move(transaction)));
  };
  EXPECT_FALSE(change([](v1::Service& now) { now.mutable_status()->set_tasks_running(1); }).has_value());
  const auto labelled = change([](v1::Service& now) { (*now.mutable_spec()->mutable_labels())["tier"] = "back"; });
  ASSERT_TRUE(labelled.has_value());
  ASSERT_EQ(labelled->endpoints_size(), 1);
  EXPECT_EQ(labelled->endpoints(0).labels().at("tier"), "back") << "though no task is replaced for it";
  const auto moved = change([](v1::Service& now) { now.mutable_status()->clear_virtual_addresses(); });
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(moved->endpoints(0).virtual_address(), "");
}

TEST_F(AssignmentFeedTest, WhatChangesAndEndsInOneCommitIsTakenAway) {
  v1::Service service;
  service.mutable_meta()->set_stack("shop");
  service.mutable_meta()->set_name("web");
  service.mutable_meta()->set_uid("service");
  create(service);
  create(task("mine", kNode, v1::RUNNING));
  create(task("theirs", "node-2", v1::RUNNING));
  feed_.full(view_);
  service = *view_.services().find_uid("service");
  service.mutable_status()->add_virtual_addresses()->set_network_uid("net");
  auto ended = *view_.tasks().find_uid("theirs");
  ended.mutable_status()->set_state(v1::FAILED);
  store::Transaction transaction;
  store::put_status(transaction, service);
  store::put_status(transaction, ended);
  const auto delta = feed_.delta(view_, play(std::move(transaction)));
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(delta->endpoints_size(), 1);
  ASSERT_EQ(delta->removed_endpoints_size(), 1);
  EXPECT_EQ(delta->removed_endpoints(0).task_uid(), "theirs");
}

TEST_F(AssignmentFeedTest, AContainersLabelsGoBeforeItsServices) {
  auto revision = *view_.revisions().find("shop", "web.1");
  auto& made_from = *revision.mutable_spec()->mutable_template_();
  (*made_from.mutable_labels())["tier"] = "front";
  (*made_from.mutable_labels())["team"] = "red";
  (*made_from.mutable_container()->mutable_labels())["tier"] = "back";
  store::Transaction transaction;
  store::put_spec(transaction, revision);
  play(std::move(transaction));
  create(task("mine", kNode, v1::RUNNING));
  const auto labels = feed_.full(view_).endpoints(0).labels();
  EXPECT_EQ(labels.at("tier"), "back");
  EXPECT_EQ(labels.at("team"), "red") << "its service is gone: what it was made from says it";
}

TEST_F(AssignmentFeedTest, TasksOfOtherStacksAreEndpointsOfTheNetworkTheyAreIn) {
  create(task("mine", kNode, v1::RUNNING));
  auto guest = task("guest", "node-2", v1::RUNNING);
  guest.mutable_meta()->set_stack("blog");
  create(guest);
  auto stranger = task("stranger", "node-2", v1::RUNNING);
  stranger.mutable_spec()->mutable_assignment()->mutable_addresses(0)->set_network_uid("other");
  create(stranger);
  const auto full = feed_.full(view_);
  std::set<std::string> there;
  for (const auto& endpoint : full.endpoints()) there.insert(endpoint.stack() + "/" + endpoint.task_uid());
  EXPECT_EQ(there, (std::set<std::string>{"shop/mine", "blog/guest"}));
}

TEST_F(AssignmentFeedTest, ARunsTaskIsToldAsItsJobs) {
  v1::Run run;
  run.mutable_meta()->set_stack("shop");
  run.mutable_meta()->set_name("encode.7");
  run.mutable_meta()->set_uid("run");
  run.mutable_spec()->set_job("encode");
  (*run.mutable_spec()->mutable_template_()->mutable_container()->mutable_labels())["batch"] = "yes";
  create(run);
  auto mine = task("mine", kNode, v1::RUNNING);
  mine.mutable_spec()->clear_service();
  mine.mutable_spec()->clear_revision();
  mine.mutable_spec()->set_run("encode.7");
  create(mine);
  const auto endpoint = feed_.full(view_).endpoints(0);
  EXPECT_TRUE(endpoint.of_run());
  EXPECT_EQ(endpoint.service(), "encode");
  EXPECT_EQ(endpoint.slot(), 1u);
  EXPECT_EQ(endpoint.labels().at("batch"), "yes");
  EXPECT_EQ(endpoint.virtual_address(), "");
}

TEST_F(AssignmentFeedTest, ANetworkThatGetsIPv6IsToldAnew) {
  create(task("mine", kNode, v1::RUNNING));
  EXPECT_EQ(feed_.full(view_).networks(0).subnet6(), "");
  auto network = *view_.networks().find_uid("net");
  const auto change = [&] {
    store::Transaction transaction;
    store::put_spec(transaction, network);
    store::put_status(transaction, network);
    return feed_.delta(view_, play(std::move(transaction)));
  };
  network.mutable_status()->add_node_uids(kNode);
  EXPECT_FALSE(change().has_value()) << "that is nothing to it";
  network = *view_.networks().find_uid("net");
  network.mutable_spec()->set_mtu(1400);
  network.mutable_status()->set_subnet6("fd00::/64");
  network.mutable_status()->set_gateway6("fd00::ac0:1");
  const auto delta = change();
  ASSERT_TRUE(delta.has_value());
  ASSERT_EQ(delta->networks_size(), 1);
  EXPECT_EQ(delta->networks(0).subnet6(), "fd00::/64");
  EXPECT_EQ(delta->networks(0).gateway6(), "fd00::ac0:1");
  EXPECT_EQ(delta->networks(0).mtu(), 1400u);
  EXPECT_EQ(delta->endpoints_size(), 0);
}

TEST_F(AssignmentFeedTest, ANodeThatIsWaitedForIsAskedToTakeANetworkDown) {
  feed_.full(view_);
  auto network = *view_.networks().find_uid("net");
  core::mark_deleted(*network.mutable_meta(), base::WallTime(std::chrono::seconds(1)));
  core::add_finalizer(*network.mutable_meta(), core::agent_finalizer("node-2"));
  store::Transaction others;
  store::put_spec(others, network);
  EXPECT_FALSE(feed_.delta(view_, play(std::move(others))).has_value()) << "another node is waited for";
  network = *view_.networks().find_uid("net");
  core::add_finalizer(*network.mutable_meta(), core::agent_finalizer(kNode));
  store::Transaction mine;
  store::put_spec(mine, network);
  const auto delta = feed_.delta(view_, play(std::move(mine)));
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(delta->removed_networks(0), "net");
  EXPECT_EQ(feed_.full(view_).removed_networks(0), "net") << "the next session is asked again";
}

// A node without a task there, which takes HTTP for the service.
class RoutedFeedTest : public AssignmentFeedTest {
 protected:
  void SetUp() override {
    v1::Node node;
    node.mutable_meta()->set_name(kNode);
    node.mutable_meta()->set_uid(kNode);
    node.mutable_status()->mutable_capabilities()->mutable_ingress()->set_http("0.0.0.0:80");
    create(node);
    service_.mutable_meta()->set_stack("shop");
    service_.mutable_meta()->set_name("web");
    service_.mutable_meta()->set_uid("service");
    service_.mutable_spec()->mutable_container()->add_networks()->set_network("default");
    auto& route = *service_.mutable_spec()->add_routes();
    route.set_name("main");
    route.add_hosts("a.test");
    route.set_tls(v1::HttpRoute::INTERNAL_AUTHORITY);
  }

  v1::Service service_;
};

TEST_F(RoutedFeedTest, ANodeWithAnIngressIsToldRoutesWithTheirNetworkAndWhoServes) {
  create(task("theirs", "node-2", v1::RUNNING));
  feed_.full(view_);
  const auto told = feed_.delta(view_, create(service_));
  ASSERT_TRUE(told);
  ASSERT_EQ(told->routes().routes_size(), 1);
  EXPECT_EQ(told->routes().routes(0).service(), "web");
  EXPECT_EQ(told->routes().routes(0).network_uid(), "net");
  EXPECT_EQ(told->routes().routes(0).route().certificate().pem(), "a.test first");
  ASSERT_EQ(told->networks_size(), 1);
  ASSERT_EQ(told->endpoints_size(), 1);
  EXPECT_TRUE(told->endpoints(0).serving());
  EXPECT_EQ(feed_.full(view_).routes().routes_size(), 1);
}

TEST_F(RoutedFeedTest, ANetworkIsToldOfWhenItHasItsAddresses) {
  v1::Network fresh;
  fresh.mutable_meta()->set_stack("shop");
  fresh.mutable_meta()->set_name("front");
  fresh.mutable_meta()->set_uid("front-net");
  create(fresh);
  service_.mutable_spec()->mutable_container()->mutable_networks(0)->set_network("front");
  create(service_);
  const auto full = feed_.full(view_);
  EXPECT_EQ(full.networks_size(), 0);
  EXPECT_EQ(full.routes().routes_size(), 0);
  fresh.mutable_meta()->set_revision(view_.networks().find_uid("front-net")->meta().revision());
  fresh.mutable_status()->set_subnet("10.192.16.0/20");
  store::Transaction transaction;
  store::put_status(transaction, fresh);
  const auto told = feed_.delta(view_, play(std::move(transaction)));
  ASSERT_TRUE(told);
  ASSERT_EQ(told->networks_size(), 1);
  EXPECT_EQ(told->networks(0).subnet(), "10.192.16.0/20");
  EXPECT_EQ(told->routes().routes_size(), 1);
}

TEST_F(RoutedFeedTest, OthersAreToldNone) {
  AssignmentFeed other("node-2");
  create(service_);
  EXPECT_EQ(other.full(view_).routes().routes_size(), 0);
  EXPECT_EQ(other.full(view_).networks_size(), 0);
}

TEST_F(RoutedFeedTest, WithItsLastRouteTheNodeLeavesTheNetwork) {
  create(service_);
  feed_.full(view_);
  const auto stored = view_.services().find("shop", "web");
  v1::Service without = *stored;
  without.mutable_spec()->clear_routes();
  store::Transaction transaction;
  store::put_spec(transaction, without);
  const auto told = feed_.delta(view_, play(std::move(transaction)));
  ASSERT_TRUE(told);
  EXPECT_TRUE(told->has_routes());
  EXPECT_EQ(told->routes().routes_size(), 0);
  ASSERT_EQ(told->removed_networks_size(), 1);
  EXPECT_EQ(told->removed_networks(0), "net");
}

TEST_F(RoutedFeedTest, ACertificateThatWasRenewedIsToldWithoutACommit) {
  create(service_);
  feed_.full(view_);
  EXPECT_FALSE(feed_.renew(view_));
  certificate_ = " second";
  const auto told = feed_.renew(view_);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->sequence(), 2u);
  EXPECT_EQ(told->routes().routes(0).route().certificate().pem(), "a.test second");
  EXPECT_FALSE(feed_.renew(view_));
}

}  // namespace
}  // namespace orchion::control::services
