#pragma once

// One machine, its agent and a scripted control plane on a turned clock, for this folder's tests.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "node/agent/agent.h"
#include "node/agent/machine_fakes.h"

namespace orchion::node::agent {

// The control plane as a test plays it. Welcomes each session, answers heartbeats, forgets what was removed; the
// rest the test says.
class ScriptedServer {
 public:
  ScriptedServer(base::Executor executor, base::Clock& clock) : group(executor), clock_(clock) {}

  bool away = false;
  bool removed_node = false;  // greetings are refused
  bool forgets = true;
  bool answers_heartbeats = true;
  bool tells_keys = true;  // to all others
  std::string cluster_id = "cluster";
  std::string host_address;
  v1::Assignments full;  // sent at the beginning of each session, its number set
  std::vector<v1::Hello> hellos;
  std::map<std::string, v1::TaskReport> newest;             // by task uid
  std::map<std::string, std::vector<v1::TaskReport>> told;  // all, by task uid
  std::vector<v1::Heartbeat> heartbeats;
  std::vector<v1::NodeMesh> meshes;
  std::vector<base::Time> dialled;  // attempts to open a session
  std::optional<v1::NodeImages> images;
  std::vector<std::string> removed_networks;
  bool left = false;
  base::TaskGroup group;

  bool has_session() const { return session_ != nullptr; }
  void send(v1::ToAgent message);
  void send_delta(v1::Assignments delta);  // with the next number
  void skip_a_number() { ++sequence_; }
  void hang_up(base::Code code = base::Code::kUnavailable);

  // The server's end of the stream that the agent dialled for this id, once it has.
  std::shared_ptr<base::Stream<v1::StreamFromAgent, v1::StreamToAgent>> stream;

  base::Co<std::unique_ptr<SessionStream>> open_session();
  base::Co<std::unique_ptr<DataStream>> open_stream();

 private:
  using ServerEnd = base::Stream<v1::FromAgent, v1::ToAgent>;
  base::Co<> serve(std::shared_ptr<ServerEnd> end);
  void receive(v1::FromAgent message);
  void welcome();

  base::Clock& clock_;
  std::shared_ptr<ServerEnd> session_;
  std::uint64_t sequence_ = 0;
  std::uint64_t sessions_ = 0;
};

class AgentLab : public testing::Test {
 protected:
  AgentLab();
  ~AgentLab() override;

  // A new agent on this machine.
  void start_agent();
  base::Result<> try_start_agent();
  // It ends as if killed: nothing is told to anybody.
  void kill_agent();

  // Another machine, and a control plane that knows nothing of it.
  void forget_everything();

  // Runs what is ready; then until `duration` has passed.
  void settle();
  void advance(base::Duration duration);

  // Runs a coroutine to its end on a still clock.
  template <class T>
  base::Result<T> finish(base::Co<T> coroutine) {
    std::optional<base::Result<T>> result;
    boost::asio::co_spawn(io, std::move(coroutine), [&](std::exception_ptr thrown, base::Result<T> value) {
      if (!thrown) result = std::move(value);
    });
    settle();
    return result ? std::move(*result) : base::fail(base::Code::kDeadlineExceeded, "it did not end");
  }

  // A task "web.SLOT" of the stack "shop" in the network "net-uid", address 10.0.0.(10+slot).
  v1::TaskAssignment task(const std::string& uid, std::uint32_t slot = 1) const;
  // `tasks` and their network.
  v1::Assignments assignments(std::vector<v1::TaskAssignment> tasks) const;
  v1::TaskState state(const std::string& uid) const;
  const v1::TaskStatus& status(const std::string& uid) const;
  void expect_nothing_left();
  base::Co<> find_engine();

  boost::asio::io_context io;
  base::ManualClock clock;
  std::filesystem::path folder;
  TestRuntime runtime;  // "oci", the default
  TestRuntime engine;   // "engine", which wires at each start
  bool has_engine = true;
  std::optional<Executors> executors;  // of the newest agent
  TestImages images;
  TestNetworks networks;
  TestVolumes volumes;
  TestResolver resolver;
  std::unique_ptr<mesh::dns::RecordTable> records;

  // What the task with the address 10.0.0.11 finds by that name.
  std::vector<std::string> found(std::string_view name) const;
  ScriptedServer server;
  FunctionLink link;
  v1::NodeCapabilities capabilities;
  networks::MeshKeys* mesh_keys = nullptr;    // of the next agent
  mesh::ingress::Ingress* ingress = nullptr;  // likewise
  AgentOptions options;
  std::unique_ptr<Agent> agent;
};

}  // namespace orchion::node::agent
