#include "control/services/dispatcher.h"

#include <gmock/gmock.h>

#include "control/services/services_fixture_test.h"
#include "core/lifecycle.h"

namespace orchion::control::services {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class DispatcherTest : public ServicesFixture {
 protected:
  // The agent's end of a session.
  struct Agent {
    std::unique_ptr<core::MessageStream> stream;
    store::Outcome<void> ended;
    std::vector<v1::ToAgent> heard;
  };

  DispatcherTest() {
    DispatcherOptions options;
    options.cluster_id = "cluster";
    options.heartbeat_seconds = 9;
    options.heard = [this](const std::string& uid) { heard_.push_back(uid); };
    options.left = [this](const std::string& uid) { left_.push_back(uid); };
    streams_ = std::make_unique<NodeStreams>(loop_.executor(), clock_, random_);
    dispatcher_ = std::make_unique<Dispatcher>(context(), *streams_, options);
    writing_ = loop_.start(dispatcher_->run(), &stop_);
  }
  ~DispatcherTest() override {
    for (auto& agent : agents_) agent->stream->finish();
    loop_.poll();
    stop_.emit(boost::asio::cancellation_type::all);
    loop_.poll();
    dispatcher_.reset();
  }

  Agent& connect(const std::string& identity = "admin") {
    auto [mine, theirs] = base::make_pipe<core::MessagePtr, core::MessagePtr>(loop_.executor(), 100);
    auto agent = std::make_unique<Agent>();
    agent->stream = std::move(mine);
    core::CallContext call;
    call.identity = identity;
    agent->ended = loop_.start(
        dispatcher_->serve(std::move(call), SessionStream(std::shared_ptr<core::MessageStream>(std::move(theirs)))));
    agents_.push_back(std::move(agent));
    return *agents_.back();
  }

  void say(Agent& agent, v1::FromAgent message) {
    EXPECT_TRUE(loop_.run(agent.stream->send(std::make_unique<v1::FromAgent>(std::move(message)))));
    loop_.poll();
  }

  // All that has arrived.
  const std::vector<v1::ToAgent>& listen(Agent& agent) {
    struct Reader {
      static base::Co<> read(Agent* from) {
        while (true) {
          CO_ASSIGN_OR_RETURN(auto message, co_await from->stream->receive());
          if (!message) co_return base::Result<>{};
          from->heard.push_back(static_cast<v1::ToAgent&>(**message));
        }
      }
    };
    boost::asio::cancellation_signal enough;
    auto reading = loop_.start(Reader::read(&agent), &enough);
    loop_.poll();
    enough.emit(boost::asio::cancellation_type::all);
    loop_.poll();
    return agent.heard;
  }

  Agent& join(const std::string& hostname, const std::string& uid = "", const std::string& identity = "admin") {
    auto& agent = connect(identity);
    v1::FromAgent message;
    auto& hello = *message.mutable_hello();
    hello.set_hostname(hostname);
    hello.set_node_uid(uid);
    hello.set_protocol(kProtocolVersion);
    say(agent, message);
    listen(agent);
    return agent;
  }

  void report(Agent& agent, const std::string& uid, v1::TaskState state, bool removed = false) {
    v1::FromAgent message;
    message.mutable_report()->set_task_uid(uid);
    message.mutable_report()->mutable_status()->set_state(state);
    message.mutable_report()->set_removed(removed);
    say(agent, message);
  }

  // A task on node uid-nas in the network "net".
  void place_task(const std::string& uid, bool deleted = false) {
    v1::Task task;
    task.mutable_meta()->set_stack("shop");
    task.mutable_meta()->set_name("web." + uid);
    task.mutable_meta()->set_uid(uid);
    core::add_finalizer(*task.mutable_meta(), core::kAgentFinalizer);
    if (deleted) core::mark_deleted(*task.mutable_meta(), clock_.wall());
    task.mutable_spec()->set_service("web");
    task.mutable_spec()->set_slot(1);
    task.mutable_spec()->mutable_assignment()->set_node_uid("uid-nas");
    task.mutable_spec()->mutable_assignment()->add_addresses()->set_network_uid("net");
    create(task);
  }

  template <class T>
  void create(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
  }

  template <class T>
  static T named(const std::string& name, const std::string& uid) {
    T object;
    object.mutable_meta()->set_stack("shop");
    object.mutable_meta()->set_name(name);
    object.mutable_meta()->set_uid(uid);
    return object;
  }

  std::unique_ptr<NodeStreams> streams_;
  std::unique_ptr<Dispatcher> dispatcher_;
  boost::asio::cancellation_signal stop_;
  store::Outcome<void> writing_;
  std::vector<std::unique_ptr<Agent>> agents_;
  std::vector<std::string> heard_;
  std::vector<std::string> left_;
};

TEST_F(DispatcherTest, ASessionBeginsWithAHelloOfTheSameProtocol) {
  auto& rude = connect();
  v1::FromAgent heartbeat;
  heartbeat.mutable_heartbeat();
  say(rude, heartbeat);
  EXPECT_EQ(loop_.wait(rude.ended).error().code, Code::kInvalidArgument);
  auto& old = connect();
  v1::FromAgent hello;
  hello.mutable_hello()->set_protocol(kProtocolVersion + 1);
  say(old, hello);
  const auto refused = loop_.wait(old.ended);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("install the same version"));
  EXPECT_THAT(view().nodes().all(), IsEmpty());
}

TEST_F(DispatcherTest, ANodeIsRegisteredOnceAndNamesStayApart) {
  auto& first = join("nas", "uid-nas");
  ASSERT_EQ(first.heard.size(), 2u);
  EXPECT_EQ(first.heard[0].welcome().node_uid(), "uid-nas");
  EXPECT_EQ(first.heard[0].welcome().node_name(), "nas");
  EXPECT_EQ(first.heard[0].welcome().heartbeat_seconds(), 9u);
  EXPECT_EQ(first.heard[0].welcome().cluster_id(), "cluster");
  EXPECT_TRUE(first.heard[1].assignments().full());
  EXPECT_EQ(view().nodes().find("nas")->status().state(), v1::NodeStatus::READY);
  const auto& other = join("nas");
  EXPECT_EQ(other.heard[0].welcome().node_name(), "nas-2");
  EXPECT_NE(other.heard[0].welcome().node_uid(), "");
  const auto& again = join("renamed", "uid-nas");
  EXPECT_EQ(again.heard[0].welcome().node_name(), "nas") << "an identity keeps its name";
  EXPECT_EQ(view().nodes().all().size(), 2u);
}

TEST_F(DispatcherTest, EachNodeHasOneHostAddressForGood) {
  // Both ask before either is stored.
  auto& nas = connect();
  auto& pi = connect();
  for (auto* agent : {&nas, &pi}) {
    auto hello = std::make_unique<v1::FromAgent>();
    hello->mutable_hello()->set_protocol(kProtocolVersion);
    hello->mutable_hello()->set_node_uid(agent == &nas ? "uid-nas" : "uid-pi");
    hello->mutable_hello()->set_hostname(agent == &nas ? "nas" : "pi");
    auto sent = loop_.start(agent->stream->send(std::move(hello)));
  }
  listen(nas);
  listen(pi);
  EXPECT_EQ(nas.heard[0].welcome().host_address(), "10.255.0.1");
  EXPECT_EQ(pi.heard[0].welcome().host_address(), "10.255.0.2");
  EXPECT_EQ(view().nodes().find("pi")->status().host_address(), "10.255.0.2");
  const auto& again = join("pi", "uid-pi");
  EXPECT_EQ(again.heard[0].welcome().host_address(), "10.255.0.2");
  EXPECT_EQ(again.heard[1].assignments().peers().peers(0).host_address(), "10.255.0.1");
  const auto& third = join("desk", "uid-desk");
  EXPECT_EQ(third.heard[0].welcome().host_address(), "10.255.0.3");
}

TEST_F(DispatcherTest, ANodeInTheMeshIsToldItsAddressThere) {
  const std::string key = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
  const std::string next = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
  const auto mesh = [](const std::string& public_key, const std::string& endpoint) {
    v1::NodeMesh out;
    out.set_public_key(public_key);
    out.set_endpoint(endpoint);
    out.set_engine("kernel");
    out.set_address("10.0.0.1");  // isn't the node's to say
    return out;
  };
  auto& agent = connect();
  v1::FromAgent message;
  message.mutable_hello()->set_hostname("nas");
  message.mutable_hello()->set_node_uid("uid-nas");
  message.mutable_hello()->set_protocol(kProtocolVersion);
  *message.mutable_hello()->mutable_mesh() = mesh(key, "192.0.2.1:4604");
  say(agent, message);
  listen(agent);
  EXPECT_EQ(agent.heard[0].welcome().mesh_address(), "10.255.128.1");
  EXPECT_EQ(view().nodes().find("nas")->status().mesh().public_key(), key);
  EXPECT_EQ(view().nodes().find("nas")->status().mesh().address(), "10.255.128.1");

  v1::FromAgent changed;
  *changed.mutable_mesh() = mesh(next, "192.0.2.1:4604");
  say(agent, changed);
  EXPECT_EQ(view().nodes().find("nas")->status().mesh().public_key(), next);
  EXPECT_EQ(view().nodes().find("nas")->status().mesh().address(), "10.255.128.1");
  EXPECT_TRUE(view().nodes().find("nas")->status().message().empty());

  const auto& plain = join("pi", "uid-pi");
  EXPECT_EQ(plain.heard[0].welcome().mesh_address(), "");
  EXPECT_FALSE(plain.heard[1].assignments().peers().peers(0).has_mesh());
  EXPECT_THAT(view().nodes().find("pi")->status().message(), HasSubstr("isn't encrypted"));

  *changed.mutable_mesh() = mesh("nonsense", "192.0.2.1:4604");
  say(agent, changed);
  EXPECT_EQ(loop_.wait(agent.ended).error().code, Code::kInvalidArgument);
  join("nas", "uid-nas");
  EXPECT_FALSE(view().nodes().find("nas")->status().has_mesh()) << "it came back without";
}

class MeshKeysTest : public DispatcherTest {
 protected:
  static v1::NodeMesh mesh(const std::string& public_key) {
    v1::NodeMesh out;
    out.set_public_key(public_key);
    out.set_endpoint("192.0.2.1:4604");
    out.set_engine("kernel");
    return out;
  }
  Agent& join_mesh(const std::string& name) {
    auto& agent = connect();
    v1::FromAgent message;
    message.mutable_hello()->set_hostname(name);
    message.mutable_hello()->set_node_uid("uid-" + name);
    message.mutable_hello()->set_protocol(kProtocolVersion);
    *message.mutable_hello()->mutable_mesh() = mesh(key);
    say(agent, message);
    listen(agent);
    return agent;
  }
  std::string stored(const std::string& name = "nas") {
    return view().nodes().find(name)->status().mesh().public_key();
  }

  const std::string key = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
  const std::string next = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
};

TEST_F(MeshKeysTest, AreToldOneAfterTheOther) {
  auto& nas = join_mesh("nas");
  auto& pi = join_mesh("pi");
  v1::FromAgent changed, beat;
  *changed.mutable_mesh() = mesh(next);
  beat.mutable_heartbeat();
  say(nas, changed);
  say(pi, changed);
  EXPECT_EQ(stored("nas"), next);
  EXPECT_EQ(stored("pi"), key) << "the other's isn't in use yet";
  say(pi, beat);
  EXPECT_FALSE(listen(pi).back().heartbeat());
  clock_.advance(std::chrono::seconds(18));  // two heartbeats
  say(pi, beat);
  EXPECT_EQ(stored("pi"), next);
  EXPECT_TRUE(listen(pi).back().heartbeat());
}

TEST_F(MeshKeysTest, AKeyWaitsForWhoIsAway) {
  v1::FromAgent beat;
  beat.mutable_heartbeat();
  v1::FromAgent changed;

  auto& nas = join_mesh("nas");
  auto& pi = join_mesh("pi");
  join("plain", "uid-plain").stream->finish();
  pi.stream->finish();
  loop_.poll();
  *changed.mutable_mesh() = mesh(next);
  say(nas, changed);
  say(nas, beat);
  EXPECT_EQ(stored(), key);
  ASSERT_TRUE(listen(nas).back().has_heartbeat());
  EXPECT_FALSE(nas.heard.back().heartbeat());
  join_mesh("pi");
  say(nas, beat);
  EXPECT_EQ(stored(), next);
  EXPECT_TRUE(listen(nas).back().heartbeat());

  // Not for ever.
  agents_.back()->stream->finish();
  loop_.poll();
  *changed.mutable_mesh() = mesh(key);
  say(nas, changed);
  clock_.advance(std::chrono::minutes(4));
  say(nas, beat);
  EXPECT_EQ(stored(), next);
  clock_.advance(std::chrono::minutes(2));
  say(nas, beat);
  EXPECT_EQ(stored(), key);
  EXPECT_TRUE(listen(nas).back().heartbeat());
}

TEST_F(DispatcherTest, ACertificateSpeaksForItsNodeAlone) {
  join("nas", "uid-nas");
  join("pi", "uid-pi");
  const auto& own = join("pi", "uid-pi", "node:uid-pi");
  EXPECT_EQ(own.heard[0].welcome().node_name(), "pi");
  auto& forged = join("nas", "uid-nas", "node:uid-pi");
  EXPECT_EQ(loop_.wait(forged.ended).error().code, Code::kPermissionDenied);
  auto& unnamed = join("nas", "", "node:uid-pi");
  EXPECT_EQ(loop_.wait(unnamed.ended).error().code, Code::kPermissionDenied);
  EXPECT_EQ(view().nodes().all().size(), 2u);
}

TEST_F(DispatcherTest, ANodeThatWasRemovedIsNotMadeAnew) {
  auto& gone = join("pi", "uid-pi", "node:uid-pi");
  const auto refused = loop_.wait(gone.ended);
  EXPECT_EQ(refused.error().code, Code::kNotFound);
  EXPECT_THAT(refused.error().message, HasSubstr("removed from the cluster"));
  EXPECT_THAT(view().nodes().all(), IsEmpty());
}

TEST_F(DispatcherTest, ReportsCountFromTheNewestSessionOnly) {
  auto& older = join("nas", "uid-nas");
  place_task("t");
  report(older, "t", v1::STARTING);
  EXPECT_EQ(view().tasks().find_uid("t")->status().state(), v1::STARTING);
  auto& newer = join("nas", "uid-nas");
  EXPECT_GT(newer.heard[0].welcome().session(), older.heard[0].welcome().session());
  EXPECT_EQ(loop_.wait(older.ended).error().code, Code::kAborted);
  report(newer, "t", v1::RUNNING);
  EXPECT_EQ(view().tasks().find_uid("t")->status().state(), v1::RUNNING);
  auto& stranger = join("pi", "uid-pi");
  report(stranger, "t", v1::FAILED);
  EXPECT_EQ(view().tasks().find_uid("t")->status().state(), v1::RUNNING) << "it isn't that node's task";
}

TEST_F(DispatcherTest, WhatAnAgentStartedAgainIsAnEvent) {
  auto& agent = join("nas", "uid-nas");
  place_task("t");
  v1::FromAgent message;
  auto& status = *message.mutable_report()->mutable_status();
  message.mutable_report()->set_task_uid("t");
  status.set_state(v1::RUNNING);
  const auto say_restarts = [&](std::uint32_t count, const char* end) {
    status.set_restarts(count);
    status.set_last_end(end);
    say(agent, message);
  };
  say_restarts(0, "");
  say_restarts(1, "exited with 3");
  say_restarts(1, "exited with 3");
  say_restarts(4, "ran out of memory");
  std::vector<std::string> told;
  for (const auto& [name, event] : view().events().all()) told.push_back(event->reason() + ": " + event->message());
  EXPECT_EQ(told, (std::vector<std::string>{"TaskRestarted: web.1 exited with 3; started again, once so far",
                                            "TaskRestarted: web.1 ran out of memory; started again, 4 times so far"}));
}

TEST_F(DispatcherTest, WhatAnAgentRemovedIsTakenOutOfTheStoreAndMayBeForgotten) {
  auto& agent = join("nas", "uid-nas");
  place_task("going", true);
  place_task("staying");
  listen(agent);
  agent.heard.clear();
  for (const char* uid : {"going", "staying", "unknown"}) report(agent, uid, v1::STOPPED, true);
  EXPECT_FALSE(view().tasks().find_uid("going"));
  const auto record = view().task_records().find("shop", "going");
  ASSERT_TRUE(record) << "what became of it is kept";
  EXPECT_EQ(record->changes().rbegin()->reason(), "Removed");
  EXPECT_EQ(view().task_records().all().size(), 1u);
  ASSERT_TRUE(view().tasks().find_uid("staying"));
  EXPECT_FALSE(core::has_finalizer(view().tasks().find_uid("staying")->meta(), core::kAgentFinalizer));
  EXPECT_EQ(view().tasks().find_uid("staying")->status().state(), v1::STOPPED);
  std::vector<std::string> forgotten;
  for (const auto& message : listen(agent))
    if (message.has_forget_task()) forgotten.push_back(message.forget_task());
  EXPECT_THAT(forgotten, UnorderedElementsAre("going", "staying", "unknown"));
}

TEST_F(DispatcherTest, ANetworkKnowsItsNodesAndGoesWhenTheLastTookItDown) {
  create(named<v1::Network>("default", "net"));
  auto& agent = join("nas", "uid-nas");
  place_task("a");
  place_task("b");
  EXPECT_THAT(view().networks().find_uid("net")->status().node_uids(), IsEmpty());
  report(agent, "a", v1::PREPARING);
  report(agent, "b", v1::PREPARING);
  EXPECT_THAT(view().networks().find_uid("net")->status().node_uids(), ElementsAre("uid-nas"));

  v1::FromAgent gone;
  gone.set_removed_network("net");
  say(agent, gone);
  ASSERT_TRUE(view().networks().find_uid("net")) << "nobody asked for its end";
  v1::Network network = *view().networks().find_uid("net");
  core::mark_deleted(*network.mutable_meta(), clock_.wall());
  core::add_finalizer(*network.mutable_meta(), core::agent_finalizer("uid-nas"));
  core::add_finalizer(*network.mutable_meta(), core::agent_finalizer("uid-pi"));
  store::Transaction transaction;
  store::put_spec(transaction, network);
  commit(std::move(transaction));
  agent.heard.clear();
  ASSERT_FALSE(listen(agent).empty());
  EXPECT_THAT(agent.heard.back().assignments().removed_networks(), ElementsAre("net"));
  auto& other = join("pi", "uid-pi");
  say(agent, gone);
  EXPECT_THAT(view().networks().find_uid("net")->meta().finalizers(), ElementsAre("agent/uid-pi"));
  say(other, gone);
  EXPECT_FALSE(view().networks().find_uid("net"));
}

TEST_F(DispatcherTest, AVolumeGoesWhenItsNodeSaysSo) {
  auto volume = named<v1::Volume>("data", "volume");
  core::add_finalizer(*volume.mutable_meta(), core::kAgentFinalizer);
  core::mark_deleted(*volume.mutable_meta(), clock_.wall());
  volume.mutable_status()->set_node_uid("uid-nas");
  create(volume);
  auto& other = join("pi", "uid-pi");
  auto& agent = join("nas", "uid-nas");
  v1::FromAgent gone;
  gone.set_removed_volume("volume");
  say(other, gone);
  EXPECT_TRUE(view().volumes().find_uid("volume"));
  say(agent, gone);
  EXPECT_FALSE(view().volumes().find_uid("volume"));
}

TEST_F(DispatcherTest, AnImageIsThereAsLongAsOneNodeHoldsIt) {
  auto& nas = join("nas", "uid-nas");
  auto& pi = join("pi", "uid-pi");
  v1::FromAgent one;
  auto& image = *one.mutable_images()->add_images();
  image.mutable_meta()->set_name("docker.io/library/app:1");
  image.mutable_status()->set_digest("sha256:1");
  say(nas, one);
  say(pi, one);
  const auto holders = [&] { return view().images().find("docker.io/library/app:1")->status().nodes(); };
  EXPECT_THAT(holders(), ElementsAre("nas", "pi"));
  v1::FromAgent none;
  none.mutable_images();
  say(nas, none);
  EXPECT_THAT(holders(), ElementsAre("pi"));
  say(pi, none);
  EXPECT_THAT(view().images().all(), IsEmpty());
}

TEST_F(DispatcherTest, EachWordIsASignOfLifeAndAHeartbeatIsAnswered) {
  auto& agent = join("nas", "uid-nas");
  heard_.clear();
  agent.heard.clear();
  v1::FromAgent heartbeat;
  heartbeat.mutable_heartbeat()->mutable_capabilities()->set_memory_bytes(5);
  say(agent, heartbeat);
  EXPECT_THAT(heard_, ElementsAre("uid-nas"));
  ASSERT_EQ(listen(agent).size(), 1u);
  EXPECT_TRUE(agent.heard[0].heartbeat());
  EXPECT_EQ(view().nodes().find("nas")->status().capabilities().memory_bytes(), 5);
  v1::FromAgent goodbye;
  goodbye.set_leaving(true);
  say(agent, goodbye);
  EXPECT_THAT(left_, ElementsAre("uid-nas"));
}

TEST_F(DispatcherTest, ARemovedNodesSessionIsEndedWithTheReason) {
  auto& agent = join("nas", "uid-nas");
  dispatcher_->disconnect("uid-nas", base::Error{Code::kNotFound, "this node was removed", {}});
  EXPECT_EQ(loop_.wait(agent.ended).error().message, "this node was removed");
  dispatcher_->disconnect("uid-nas", base::Error{Code::kNotFound, "it has no session any more", {}});
}

TEST_F(DispatcherTest, WordsOfManyTasksShareTransactions) {
  create(named<v1::Network>("default", "net"));
  auto& agent = join("nas", "uid-nas");
  constexpr int kTasks = 500;
  for (int i = 0; i < kTasks; ++i) place_task("t" + std::to_string(i));
  listen(agent);
  const auto before = view().revision();
  // As fast as they are taken.
  struct Sender {
    static base::Co<> send_all(Agent* from) {
      for (const auto state : {v1::PREPARING, v1::STARTING, v1::RUNNING})
        for (int i = 0; i < kTasks; ++i) {
          auto message = std::make_unique<v1::FromAgent>();
          message->mutable_report()->set_task_uid("t" + std::to_string(i));
          message->mutable_report()->mutable_status()->set_state(state);
          CO_RETURN_IF_ERROR(co_await from->stream->send(std::move(message)));
        }
      co_return base::Result<>{};
    }
  };
  EXPECT_TRUE(loop_.run(Sender::send_all(&agent)));
  loop_.poll();
  for (int i = 0; i < kTasks; ++i)
    EXPECT_EQ(view().tasks().find_uid("t" + std::to_string(i))->status().state(), v1::RUNNING);
  EXPECT_LT(view().revision() - before, kTasks) << "that many commits for three words of each task";
  EXPECT_THAT(view().networks().find_uid("net")->status().node_uids(), ElementsAre("uid-nas"));
}

}  // namespace
}  // namespace orchion::control::services
