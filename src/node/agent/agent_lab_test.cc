#include "node/agent/agent_lab.h"

#include "base/file.h"

namespace orchion::node::agent {

base::Co<std::unique_ptr<SessionStream>> ScriptedServer::open_session() {
  dialled.push_back(clock_.now());
  CO_RETURN_IF_ERROR(co_await next_turn());
  if (away) co_return base::fail(base::Code::kUnavailable, "nobody answers");
  auto [theirs, mine] = base::make_pipe<v1::ToAgent, v1::FromAgent>(group.executor(), 1000);
  group.spawn("server", serve(std::move(mine)));
  co_return std::move(theirs);
}

base::Co<std::unique_ptr<DataStream>> ScriptedServer::open_stream() {
  auto [theirs, mine] = base::make_pipe<v1::StreamToAgent, v1::StreamFromAgent>(group.executor(), 16);
  stream = std::move(mine);
  co_return std::move(theirs);
}

base::Co<> ScriptedServer::serve(std::shared_ptr<ServerEnd> end) {
  session_ = end;
  while (true) {
    auto message = co_await end->receive();
    if (!message || !*message) break;
    if (session_ == end) receive(std::move(**message));
  }
  if (session_ == end) session_.reset();
  co_return base::Result<>{};
}

void ScriptedServer::receive(v1::FromAgent message) {
  if (message.has_hello()) {
    hellos.push_back(message.hello());
    if (removed_node) return hang_up(base::Code::kNotFound);
    welcome();
  } else if (message.has_report()) {
    const auto& report = message.report();
    newest[report.task_uid()] = report;
    told[report.task_uid()].push_back(report);
    if (!report.removed() || !forgets) return;
    v1::ToAgent answer;
    answer.set_forget_task(report.task_uid());
    send(std::move(answer));
  } else if (message.has_heartbeat()) {
    heartbeats.push_back(message.heartbeat());
    v1::ToAgent answer;
    answer.set_heartbeat(tells_keys);
    if (answers_heartbeats) send(std::move(answer));
  } else if (message.has_mesh()) {
    meshes.push_back(message.mesh());
  } else if (message.has_images()) {
    images = message.images();
  } else if (message.has_removed_network()) {
    removed_networks.push_back(message.removed_network());
  } else {
    left = message.leaving();
  }
}

void ScriptedServer::welcome() {
  v1::ToAgent message;
  message.mutable_welcome()->set_node_uid("node-uid");
  message.mutable_welcome()->set_node_name("nas");
  message.mutable_welcome()->set_session(++sessions_);
  message.mutable_welcome()->set_heartbeat_seconds(5);
  message.mutable_welcome()->set_lease_seconds(30);
  message.mutable_welcome()->set_cluster_id(cluster_id);
  message.mutable_welcome()->set_host_address(host_address);
  send(std::move(message));
  v1::ToAgent set;
  *set.mutable_assignments() = full;
  set.mutable_assignments()->set_full(true);
  set.mutable_assignments()->set_sequence(sequence_ = 1);
  send(std::move(set));
}

namespace {

base::Co<> send_one(std::shared_ptr<base::Stream<v1::FromAgent, v1::ToAgent>> to, v1::ToAgent message) {
  co_return co_await to->send(std::move(message));
}

}  // namespace

void ScriptedServer::send(v1::ToAgent message) {
  if (session_) group.spawn("sending", send_one(session_, std::move(message)));
}

void ScriptedServer::send_delta(v1::Assignments delta) {
  v1::ToAgent message;
  delta.set_sequence(++sequence_);
  *message.mutable_assignments() = std::move(delta);
  send(std::move(message));
}

void ScriptedServer::hang_up(base::Code code) {
  if (session_) session_->finish(base::Error{code, "the server went away", {}});
  session_.reset();
}

AgentLab::AgentLab()
    : folder(std::filesystem::temp_directory_path() / ("orchion-agent-" + base::Random::from_system().text(10))),
      runtime(io.get_executor(), clock),
      engine(io.get_executor(), clock),
      records(std::make_unique<mesh::dns::RecordTable>()),
      server(io.get_executor(), clock),
      link([this] { return server.open_session(); }, [this] { return server.open_stream(); }) {
  runtime.logs = folder / "logs";
  engine.logs = folder / "engine-logs";
  options.folder = folder / "agent";
  options.hostname = "nas.home";
  options.labels = {{"disk", "big"}};
  options.boot_id = "boot-1";
  capabilities.set_memory_bytes(1000);
}

AgentLab::~AgentLab() {
  kill_agent();
  for (auto* group : {&server.group, &runtime.group, &engine.group}) {
    boost::asio::co_spawn(io, group->shutdown(), boost::asio::detached);
    settle();
  }
  EXPECT_TRUE(base::remove_tree(folder).has_value());
}

// As an engine that was started.
base::Co<> AgentLab::find_engine() {
  if (has_engine && executors->find("engine") == nullptr)
    executors->add({.name = "engine", .runtime = engine, .images = &images, .wires_at_start = true});
  co_return base::Result<>{};
}

base::Result<> AgentLab::try_start_agent() {
  // What the DNS server knew died with its process.
  records = std::make_unique<mesh::dns::RecordTable>();
  resolver.addresses.clear();
  executors.emplace(std::vector<Executor>{{.name = "oci", .runtime = runtime, .images = &images}});
  if (auto found = finish(find_engine()); !found) return found;
  agent = std::make_unique<Agent>(io.get_executor(), options,
                                  AgentParts{.link = link,
                                             .clock = clock,
                                             .executors = *executors,
                                             .images = images,
                                             .networks = networks,
                                             .volumes = volumes,
                                             .records = *records,
                                             .resolver = resolver,
                                             .capabilities = [this] { return capabilities; },
                                             .look_for_executors = [this] { return find_engine(); },
                                             .mesh = mesh_keys,
                                             .ingress = ingress},
                                  17);
  return finish(agent->start());
}

void AgentLab::start_agent() {
  auto started = try_start_agent();
  ASSERT_TRUE(started.has_value()) << started.error().message;
  boost::asio::co_spawn(io, agent->run(), boost::asio::detached);
  settle();
}

void AgentLab::kill_agent() {
  if (!agent) return;
  boost::asio::co_spawn(io, agent->shutdown(Agent::Goodbye::kSilent), boost::asio::detached);
  settle();
  agent.reset();
}

void AgentLab::forget_everything() {
  kill_agent();
  runtime.containers.clear();
  runtime.operations.clear();
  networks.made.clear();
  networks.attached.clear();
  networks.published.clear();
  server.newest.clear();
  server.told.clear();
  EXPECT_TRUE(base::remove_tree(folder).has_value());
}

void AgentLab::settle() {
  io.restart();
  io.poll();
}

void AgentLab::advance(base::Duration duration) {
  const auto end = clock.now() + duration;
  settle();
  while (clock.next_deadline() <= end) {
    clock.advance(std::max(clock.next_deadline() - clock.now(), base::Duration(0)));
    settle();
  }
  clock.advance(end - clock.now());
  settle();
}

v1::TaskAssignment AgentLab::task(const std::string& uid, std::uint32_t slot) const {
  v1::TaskAssignment assignment;
  auto& task = *assignment.mutable_task();
  task.mutable_meta()->set_uid(uid);
  task.mutable_meta()->set_name("web." + std::to_string(slot) + "." + uid);
  task.mutable_meta()->set_stack("shop");
  task.mutable_spec()->set_service("web");
  task.mutable_spec()->set_slot(slot);
  auto& address = *task.mutable_spec()->mutable_assignment()->add_addresses();
  address.set_network("default");
  address.set_network_uid("net-uid");
  address.set_address("10.0.0." + std::to_string(10 + slot));
  assignment.mutable_container()->set_image("web:1");
  return assignment;
}

v1::Assignments AgentLab::assignments(std::vector<v1::TaskAssignment> tasks) const {
  v1::Assignments result;
  for (auto& task : tasks) *result.add_tasks() = std::move(task);
  auto& network = *result.add_networks();
  network.set_uid("net-uid");
  network.set_stack("shop");
  network.set_name("default");
  network.set_subnet("10.0.0.0/24");
  network.set_gateway("10.0.0.1");
  return result;
}

const v1::TaskStatus& AgentLab::status(const std::string& uid) const {
  static const v1::TaskStatus kUnknown;
  const auto found = server.newest.find(uid);
  return found == server.newest.end() ? kUnknown : found->second.status();
}

v1::TaskState AgentLab::state(const std::string& uid) const {
  return status(uid).state();
}

void AgentLab::expect_nothing_left() {
  EXPECT_TRUE(runtime.containers.empty());
  EXPECT_TRUE(networks.attached.empty());
  EXPECT_TRUE(networks.published.empty());
  EXPECT_TRUE(networks.made.empty());
  EXPECT_TRUE(resolver.addresses.empty());
  EXPECT_TRUE(std::filesystem::is_empty(options.folder / "tasks"));
}

std::vector<std::string> AgentLab::found(std::string_view name) const {
  std::vector<std::string> addresses;
  for (const auto& address : records->find(boost::asio::ip::make_address("10.0.0.11"), name).addresses)
    addresses.push_back(address.to_string());
  return addresses;
}

}  // namespace orchion::node::agent
