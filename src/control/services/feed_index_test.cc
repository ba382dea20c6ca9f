#include "control/services/feed_index.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/random.h"

namespace orchion::control::services {
namespace {

constexpr int kNodes = 5;
constexpr int kNetworks = 3;
constexpr int kServices = 4;

// Each node twice: fed with every commit, and with those that concern it.
class FeedIndexTest : public testing::Test {
 protected:
  FeedIndexTest() {
    for (int n = 0; n < kNetworks; ++n) put(network(n));
    for (int n = 0; n < kServices; ++n) {
      put(service(n));
      v1::Revision revision;
      name(revision, "service-" + std::to_string(n) + ".1");
      put(revision);
    }
    for (int n = 0; n < kNodes; ++n) {
      put(node(n, "192.0.2." + std::to_string(n)));
      always_.emplace_back(node_uid(n));
      asked_.emplace_back(node_uid(n));
      EXPECT_EQ(always_.back().full(view_).SerializeAsString(), asked_.back().full(view_).SerializeAsString());
      index_.put(session(n), asked_.back(), view_);
    }
  }

  static std::uint64_t session(int node) { return 100 + static_cast<std::uint64_t>(node); }
  static std::string node_uid(int number) { return "uid-node-" + std::to_string(number); }

  template <class T>
  static void name(T& object, const std::string& text) {
    object.mutable_meta()->set_stack("shop");
    object.mutable_meta()->set_name(text);
    object.mutable_meta()->set_uid("uid-" + text);
  }

  static v1::Node node(int number, const std::string& address) {
    v1::Node node;
    name(node, "node-" + std::to_string(number));
    node.mutable_meta()->clear_stack();
    node.mutable_status()->set_address(address);
    if (number == 0) node.mutable_status()->mutable_capabilities()->mutable_ingress()->set_http("0.0.0.0:80");
    return node;
  }

  static v1::Network network(int number) {
    v1::Network network;
    name(network, "net-" + std::to_string(number));
    network.mutable_status()->set_subnet("10.0." + std::to_string(number) + ".0/24");
    return network;
  }

  static v1::Service service(int number) {
    v1::Service service;
    name(service, "service-" + std::to_string(number));
    auto& attachment = *service.mutable_spec()->mutable_container()->add_networks();
    attachment.set_network("net-" + std::to_string(number % kNetworks));
    return service;
  }

  // Without a place, or with one.
  static v1::Task task(int number, int service, int node) {
    v1::Task task;
    name(task, "task-" + std::to_string(number));
    task.mutable_spec()->set_service("service-" + std::to_string(service));
    task.mutable_spec()->set_revision("service-" + std::to_string(service) + ".1");
    if (node < 0) return task;
    auto& assignment = *task.mutable_spec()->mutable_assignment();
    assignment.set_node_uid(node_uid(node));
    if (service % 2 == 0) {
      auto& address = *assignment.add_addresses();
      address.set_network_uid("uid-net-" + std::to_string(service % kNetworks));
      address.set_address("10.0.0." + std::to_string(number));
    }
    if (service == 3) assignment.add_ports()->set_host_port(8080);
    return task;
  }

  template <class T>
  void put(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    store::put_status(transaction, object);
    play(std::move(transaction));
  }

  template <class T>
  void write(const T& object, bool with_spec) {
    store::Transaction transaction;
    if (with_spec) store::put_spec(transaction, object);
    store::put_status(transaction, object);
    play(std::move(transaction));
  }

  void play(store::Transaction transaction) {
    store::Commit written;
    written.revision = view_.revision() + 1;
    for (auto& operation : transaction.operations) written.changes.push_back({operation.key, operation.value});
    auto changes = view_.apply(written);
    ASSERT_TRUE(changes);
    const store::ObjectStore::Commit commit{written.revision, *std::move(changes)};
    const auto concerned = index_.concerned_by(view_, commit);
    for (int n = 0; n < static_cast<int>(asked_.size()); ++n) {
      const auto at = static_cast<std::size_t>(n);
      const auto told = always_[at].delta(view_, commit);
      if (std::ranges::find(concerned, session(n)) == concerned.end()) {
        EXPECT_FALSE(told) << "revision " << commit.revision << ", node " << n << ": " << told->ShortDebugString();
        continue;
      }
      ++heard_;
      const auto asked = asked_[at].delta(view_, commit);
      index_.put(session(n), asked_[at], view_);
      ASSERT_EQ(asked.has_value(), told.has_value());
      if (!told) continue;
      EXPECT_EQ(asked->SerializeAsString(), told->SerializeAsString());
    }
    commits_ += asked_.empty() ? 0 : 1;
  }

  store::View view_;
  FeedIndex index_;
  std::vector<AssignmentFeed> always_, asked_;
  std::size_t heard_ = 0, commits_ = 0;
};

TEST_F(FeedIndexTest, WhoIsNotAskedWouldHaveHadNothingToSay) {
  base::Random random(11);
  const auto any = [&](int count) { return static_cast<int>(random.below(static_cast<std::uint64_t>(count))); };
  std::vector<std::string> tasks;
  for (int step = 0; step < 2000; ++step) {
    switch (any(10)) {
      case 0:
      case 1:
        tasks.push_back("task-" + std::to_string(step));
        put(task(step, any(kServices), any(kNodes + 1) - 1));
        break;
      case 2: {  // it goes
        if (tasks.empty()) break;
        std::swap(tasks[static_cast<std::size_t>(any(static_cast<int>(tasks.size())))], tasks.back());
        store::Transaction transaction;
        store::remove(transaction, *view_.tasks().find("shop", tasks.back()));
        tasks.pop_back();
        play(std::move(transaction));
        break;
      }
      case 3: {
        const auto number = any(kNodes);
        v1::Node changed = *view_.nodes().find("node-" + std::to_string(number));
        changed.mutable_status()->set_address("192.0.2." + std::to_string(any(3) + 10 * number));
        changed.mutable_status()->mutable_capabilities()->set_kernel(std::to_string(any(2)));
        write(changed, false);
        break;
      }
      case 4: {
        const auto number = any(kServices);
        v1::Service changed = *view_.services().find("shop", "service-" + std::to_string(number));
        (*changed.mutable_spec()->mutable_labels())["tier"] = std::to_string(any(2));
        changed.mutable_spec()->clear_routes();
        if (any(2) == 0) changed.mutable_spec()->add_routes()->add_hosts("web.test");
        changed.mutable_status()->set_tasks_running(static_cast<std::uint32_t>(step));
        write(changed, true);
        break;
      }
      case 5: {
        const auto number = any(kNetworks);
        v1::Network changed = *view_.networks().find("shop", "net-" + std::to_string(number));
        changed.mutable_status()->set_subnet("10.0." + std::to_string(any(9)) + ".0/24");
        write(changed, false);
        break;
      }
      default: {  // a step of a task
        if (tasks.empty()) break;
        const auto& name = tasks[static_cast<std::size_t>(any(static_cast<int>(tasks.size())))];
        v1::Task changed = *view_.tasks().find("shop", name);
        constexpr v1::TaskState kStates[] = {v1::PREPARING, v1::RUNNING, v1::RUNNING, v1::FAILED};
        changed.mutable_status()->set_state(kStates[any(4)]);
        const bool is_told_to_stop = any(5) == 0;
        if (is_told_to_stop) changed.mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
        write(changed, is_told_to_stop);
      }
    }
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(heard_, commits_ / 2);
  EXPECT_LT(heard_, commits_ * kNodes * 3 / 4) << "almost all were asked";
}

TEST_F(FeedIndexTest, WhatHappensOnOneNodeConcernsThatNode) {
  put(task(1, 1, 2));
  v1::Task running = *view_.tasks().find("shop", "task-1");
  const auto before = heard_;
  running.mutable_status()->set_state(v1::RUNNING);
  write(running, false);
  EXPECT_EQ(heard_, before) << "its own word comes back to it from nobody";
  running = *view_.tasks().find("shop", "task-1");
  running.mutable_spec()->set_desired_state(v1::DESIRED_STOPPED);
  write(running, true);
  EXPECT_EQ(heard_, before + 1);
}

TEST_F(FeedIndexTest, AnEndedSessionIsNotAsked) {
  for (int n = 0; n < kNodes; ++n) index_.erase(session(n));
  asked_.clear();
  store::Commit commit{view_.revision() + 1, {}};
  store::Transaction transaction;
  store::create(transaction, task(1, 0, 1));
  for (auto& operation : transaction.operations) commit.changes.push_back({operation.key, operation.value});
  auto changes = view_.apply(commit);
  ASSERT_TRUE(changes);
  EXPECT_TRUE(index_.concerned_by(view_, {commit.revision, *changes}).empty());
}

}  // namespace
}  // namespace orchion::control::services
