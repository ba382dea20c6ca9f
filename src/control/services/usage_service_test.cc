#include "control/services/usage_service.h"

#include <gmock/gmock.h>

#include "control/services/services_fixture_test.h"

namespace orchion::control::services {
namespace {

using base::Code;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

using Strings = std::vector<std::string>;

class UsageServiceTest : public ServicesFixture {
 protected:
  // A node's end of the streams that are asked of it; it says what the test says.
  struct FakeNode {
    bool answers = true;
    std::vector<v1::StreamRequest> asked;
    std::unique_ptr<core::MessageStream> stream;  // the newest
    store::Outcome<void> ended;
  };

  UsageServiceTest() {
    add_usage_service(table_, std::make_shared<UsageService>(context(), streams_));
    create_named<v1::Stack>("", "shop");
    create_named<v1::Service>("shop", "web");
  }
  ~UsageServiceTest() override {
    stop_.emit(boost::asio::cancellation_type::all);
    loop_.poll();
  }

  FakeNode& connect(const std::string& uid) {
    auto& node = nodes_[uid];
    streams_.session_opened(uid, 1, [this, &node](v1::ToAgent message) {
      node.asked.push_back(message.stream());
      if (!node.answers) return true;
      auto [agents, servers] = base::make_pipe<core::MessagePtr, core::MessagePtr>(loop_.executor(), 100);
      node.stream = std::move(agents);
      core::CallContext call;
      call.identity = "admin";
      node.ended = loop_.start(streams_.serve(call, message.stream().id(),
                                              AgentStream(std::shared_ptr<core::MessageStream>(std::move(servers)))));
      return true;
    });
    return node;
  }

  void say(FakeNode& node, const Strings& task_uids, double cores = 0.5) {
    auto message = std::make_unique<v1::StreamFromAgent>();
    for (const auto& uid : task_uids) {
      auto& usage = *message->mutable_usage()->add_tasks();
      usage.set_task_uid(uid);
      usage.set_cpu_cores(cores);
    }
    message->mutable_usage();
    ASSERT_TRUE(loop_.run(node.stream->send(std::move(message))));
    loop_.poll();
  }

  template <class T>
  void create_named(const std::string& stack, const std::string& name) {
    T object;
    object.mutable_meta()->set_stack(stack);
    object.mutable_meta()->set_name(name);
    create(object);
  }

  template <class T>
  void create(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
    loop_.poll();
  }

  void place(const std::string& uid, std::uint32_t slot, const std::string& node, v1::TaskState state = v1::RUNNING,
             const std::string& stack = "shop") {
    v1::Task task;
    task.mutable_meta()->set_stack(stack);
    task.mutable_meta()->set_name("web." + uid);
    task.mutable_meta()->set_uid(uid);
    task.mutable_spec()->set_service("web");
    task.mutable_spec()->set_slot(slot);
    task.mutable_spec()->mutable_assignment()->set_node_uid(node);
    task.mutable_spec()->mutable_assignment()->set_node("name-of-" + node);
    task.mutable_status()->set_state(state);
    create(task);
  }

  void end_task(const std::string& uid) {
    auto task = *view().tasks().find_uid(uid);
    task.mutable_status()->set_state(v1::FAILED);
    store::Transaction transaction;
    store::put_status(transaction, task);
    commit(std::move(transaction));
    loop_.poll();
  }

  void advance(base::Duration duration) {
    clock_.advance(duration);
    loop_.poll();
  }

  static Strings asked_for(const v1::StreamRequest& request) {
    return {request.usage().task_uids().begin(), request.usage().task_uids().end()};
  }

  using Call = CollectedCall<v1::ListUsageRequest, v1::TaskUsages>;
  using WatchCall = CollectedCall<v1::WatchUsageRequest, v1::TaskUsages>;

  store::Outcome<void> start_list(std::shared_ptr<Call> call) {
    const auto outcome =
        loop_.start(table_.find("orchion.v1.TaskService.ListUsage")->call({}, std::move(call)), &stop_);
    loop_.poll();
    return outcome;
  }
  std::shared_ptr<WatchCall> start_watch(v1::WatchUsageRequest request = {}) {
    auto call = std::make_shared<WatchCall>(std::deque<v1::WatchUsageRequest>{std::move(request)});
    watching_ = loop_.start(table_.find("orchion.v1.TaskService.WatchUsage")->call({}, call), &stop_);
    loop_.poll();
    return call;
  }

  core::MethodTable table_;
  NodeStreams streams_{loop_.executor(), clock_, random_};
  std::map<std::string, FakeNode> nodes_;
  boost::asio::cancellation_signal stop_;
  store::Outcome<void> watching_;
};

TEST_F(UsageServiceTest, EveryNodeIsAskedAtOnceAndTheirAnswersAreOne) {
  place("t3", 3, "n1");
  place("t1", 1, "n2");
  place("t2", 2, "n1");
  place("new", 4, "n1", v1::PREPARING);
  auto& one = connect("n1");
  auto& two = connect("n2");
  auto call = std::make_shared<Call>(std::deque<v1::ListUsageRequest>{{}});
  const auto ended = start_list(call);
  ASSERT_EQ(one.asked.size(), 1u);
  ASSERT_EQ(two.asked.size(), 1u);
  EXPECT_THAT(asked_for(one.asked[0]), testing::UnorderedElementsAre("t2", "t3")) << "what runs";
  EXPECT_EQ(one.asked[0].usage().interval_ms(), 0u);
  say(two, {"t1"}, 1.5);
  say(one, {"t3", "t1", "gone", "t2"});
  ASSERT_TRUE(ended->has_value() && ended->value());
  const auto& tasks = call->responses.at(0).tasks();
  ASSERT_EQ(tasks.size(), 3) << "a node's word counts for its own tasks alone";
  EXPECT_EQ(tasks[0].slot(), 1u);
  EXPECT_EQ(tasks[0].cpu_cores(), 1.5);
  EXPECT_EQ(tasks[0].stack(), "shop");
  EXPECT_EQ(tasks[0].service(), "web");
  EXPECT_EQ(tasks[0].task(), "web.t1");
  EXPECT_EQ(tasks[0].node(), "name-of-n2");
  EXPECT_EQ(tasks[2].slot(), 3u);
}

TEST_F(UsageServiceTest, NodesThatDoNotAnswerInTimeAreLeftOut) {
  place("t1", 1, "n1");
  place("t2", 2, "silent");
  place("t3", 3, "slow");
  place("t4", 4, "away");
  auto& one = connect("n1");
  connect("silent").answers = false;
  connect("slow");
  auto call = std::make_shared<Call>(std::deque<v1::ListUsageRequest>{{}});
  const auto ended = start_list(call);
  say(one, {"t1"});
  advance(milliseconds(1999));
  EXPECT_FALSE(ended->has_value());
  advance(milliseconds(1));
  ASSERT_TRUE(ended->has_value() && ended->value());
  ASSERT_EQ(call->responses.at(0).tasks_size(), 1);
  EXPECT_EQ(call->responses.at(0).tasks(0).task(), "web.t1");
}

TEST_F(UsageServiceTest, AStackOrAServiceIsAskedFor) {
  place("t1", 1, "n1");
  place("t2", 1, "n1", v1::RUNNING, "blog");
  auto& node = connect("n1");
  v1::ListUsageRequest request;
  request.set_stack("shop");
  auto call = std::make_shared<Call>(std::deque<v1::ListUsageRequest>{request});
  start_list(call);
  EXPECT_THAT(asked_for(node.asked.at(0)), ElementsAre("t1"));
  say(node, {"t1"});
  request.set_service("db");
  const auto unknown = this->call<v1::TaskUsages, v1::ListUsageRequest>(table_, "TaskService.ListUsage", {request});
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  request.set_stack("nope");
  const auto nowhere = this->call<v1::TaskUsages, v1::ListUsageRequest>(table_, "TaskService.ListUsage", {request});
  EXPECT_EQ(nowhere.error().message, "there is no stack nope: see `orchion stack ls`");
}

TEST_F(UsageServiceTest, NothingRunsNothingIsAsked) {
  const auto usages = call<v1::TaskUsages, v1::ListUsageRequest>(table_, "TaskService.ListUsage", {{}});
  ASSERT_TRUE(usages);
  EXPECT_THAT(usages->tasks(), IsEmpty());
}

TEST_F(UsageServiceTest, AWatcherGetsWhatEachNodeSays) {
  place("t1", 1, "n1");
  place("t2", 2, "n2");
  auto& one = connect("n1");
  auto& two = connect("n2");
  const auto watch = start_watch();
  EXPECT_EQ(one.asked.at(0).usage().interval_ms(), 1000u);
  say(one, {"t1"});
  say(two, {"t2"});
  say(one, {});
  say(one, {"t1"});
  ASSERT_EQ(watch->responses.size(), 3u) << "nothing is said of nothing";
  EXPECT_EQ(watch->responses[0].tasks(0).task(), "web.t1");
  EXPECT_EQ(watch->responses[1].tasks(0).task(), "web.t2");
  stop_.emit(boost::asio::cancellation_type::all);
  loop_.poll();
  EXPECT_TRUE(one.ended->has_value()) << "nobody is asked any longer";
  EXPECT_TRUE(two.ended->has_value());
}

TEST_F(UsageServiceTest, TasksAndNodesComeAndGo) {
  place("t1", 1, "n1");
  auto& one = connect("n1");
  auto& two = connect("n2");
  v1::WatchUsageRequest request;
  request.set_stack("shop");
  request.set_interval_ms(500);
  const auto watch = start_watch(request);
  EXPECT_EQ(one.asked.size(), 1u);
  place("t2", 2, "n2", v1::PREPARING);
  place("t3", 3, "n1");
  place("t4", 4, "n1", v1::RUNNING, "blog");
  advance(milliseconds(200));
  ASSERT_EQ(one.asked.size(), 2u);
  EXPECT_THAT(asked_for(one.asked[1]), ElementsAre("t1", "t3"));
  ASSERT_EQ(two.asked.size(), 1u) << "it is about to run";
  EXPECT_EQ(two.asked[0].usage().interval_ms(), 500u);
  say(one, {"t1", "t3"});
  EXPECT_EQ(watch->responses.at(0).tasks_size(), 2);
  end_task("t2");
  advance(milliseconds(200));
  EXPECT_TRUE(two.ended->has_value());
  EXPECT_EQ(one.asked.size(), 2u) << "nothing changed there";
  place("t5", 5, "n2");
  advance(milliseconds(200));
  EXPECT_EQ(two.asked.size(), 2u);
}

TEST_F(UsageServiceTest, ANodeThatWasAwayIsAskedAgain) {
  place("t1", 1, "n1");
  const auto watch = start_watch();
  auto& node = connect("n1");
  EXPECT_THAT(node.asked, IsEmpty());
  advance(seconds(1));
  ASSERT_EQ(node.asked.size(), 1u);
  node.stream->finish(base::Error{Code::kUnavailable, "the node went away", {}});
  loop_.poll();
  advance(seconds(1));
  ASSERT_EQ(node.asked.size(), 2u);
  say(node, {"t1"});
  EXPECT_EQ(watch->responses.size(), 1u);
}

TEST_F(UsageServiceTest, WrongIntervalsAreRefused) {
  for (const std::uint32_t interval : {1u, 199u, 60'001u}) {
    v1::WatchUsageRequest request;
    request.set_interval_ms(interval);
    start_watch(request);
    ASSERT_TRUE(watching_->has_value());
    EXPECT_EQ(watching_->value().error().fields.at(0).pointer, "/intervalMs");
  }
}

}  // namespace
}  // namespace orchion::control::services
