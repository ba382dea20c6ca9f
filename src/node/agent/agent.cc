#include "node/agent/agent.h"

#include <algorithm>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "base/file.h"
#include "base/log.h"
#include "node/agent/blocking.h"

namespace orchion::node::agent {

namespace {

constexpr std::uint32_t kProtocol = 1;

int default_starts() {
  return 4 * std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::string read_boot_id() {
  auto id = base::read_file("/proc/sys/kernel/random/boot_id");
  return id ? id->substr(0, id->find('\n')) : std::string();
}

}  // namespace

Agent::Agent(base::Executor executor, AgentOptions options, AgentParts parts, std::uint64_t seed)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      random_(seed),
      group_(executor),
      folder_(options_.folder, parts_.workers),
      outputs_(options_.folder / "outputs", parts_.workers),
      outbox_(executor),
      slots_(executor, options_.starts_at_once > 0 ? options_.starts_at_once : default_starts()),
      lease_renewed_(executor),
      policies_(executor, parts_.clock, parts_.networks),
      network_table_(executor, {.clock = parts_.clock,
                                .networks = parts_.networks,
                                .policies = policies_,
                                .records = parts_.records,
                                .resolver = parts_.resolver,
                                .folder = folder_,
                                .cluster_id = [this] { return identity_.cluster_id(); },
                                .address = options_.address,
                                .in_mesh = parts_.mesh != nullptr,
                                .gone =
                                    [this](const std::string& uid) {
                                      gone_networks_.insert(uid);
                                      say_gone_networks();
                                    },
                                .ingress = parts_.ingress,
                                .share_changed = [this](const std::string& uid) { tasks_.look_again(uid); }}),
      image_reporter_(executor, parts_.clock, parts_.images, outbox_),
      image_fetcher_(executor, parts_.link, parts_.clock, parts_.images),
      inputs_(executor, parts_.link, parts_.clock, options_.folder / "inputs", parts_.workers),
      tools_{.clock = parts_.clock,
             .random = random_,
             .executors = parts_.executors,
             .images = parts_.images,
             .image_fetcher = image_fetcher_,
             .networks = parts_.networks,
             .volumes = parts_.volumes,
             .network_table = network_table_,
             .folder = folder_,
             .outputs = outputs_,
             .inputs = inputs_,
             .outbox = outbox_,
             .slots = slots_,
             .lease = lease_,
             .group = group_,
             .workers = parts_.workers,
             .log_keeper = parts_.log_keeper,
             .boot_id = options_.boot_id.empty() ? read_boot_id() : options_.boot_id,
             .log_bytes_max = options_.log_bytes_max,
             .node_files = options_.node_files,
             .gpus = parts_.gpus,
             .known_images = options_.known_images,
             .image_present =
                 [this](const std::string& digest) {
                   image_reporter_.present(digest);
                   tasks_.tell_used_images();
                 },
             .forgotten = [this] { say_gone_networks(); }},
      tasks_(tools_),
      adopter_({.clock = parts_.clock,
                .executors = parts_.executors,
                .look_for_executors = parts_.look_for_executors,
                .networks = parts_.networks,
                .network_table = network_table_,
                .tasks = tasks_}),
      streams_({.link = parts_.link,
                .clock = parts_.clock,
                .images = parts_.images,
                .tasks = tasks_,
                .executors = parts_.executors,
                .outputs = outputs_,
                .group = group_,
                .workers = parts_.workers,
                .log_keeper = parts_.log_keeper,
                .images_changed = [this] { image_reporter_.look_again(); }}),
      session_(parts_.link, parts_.clock, random_, outbox_, *this, [this] { return make_hello(); }),
      mesh_(executor, {.clock = parts_.clock,
                       .random = random_,
                       .outbox = outbox_,
                       .keys = parts_.mesh,
                       .workers = parts_.workers,
                       .address = options_.address,
                       .key_lifetime = options_.mesh_key_lifetime,
                       .connected = [this] { return session_.connected(); }}),
      stop_(executor) {}

Agent::~Agent() = default;

base::Co<> Agent::start() {
  CO_ASSIGN_OR_RETURN(auto content, co_await folder_.load());
  identity_ = content.identity;
  if (content.lease.boot_id() == tools_.boot_id)
    lease_.restore(base::Time(std::chrono::nanoseconds(content.lease.ends_ns())));
  if (parts_.resolver.port() != 0)
    CO_RETURN_IF_ERROR(co_await parts_.networks.set_resolver_port(parts_.resolver.port()));
  CO_RETURN_IF_ERROR(co_await adopter_.begin(std::move(content)));
  group_.spawn("networks", network_table_.keep());
  group_.spawn("policies", policies_.keep());
  group_.spawn("network checkpoint", network_table_.save_changes());
  group_.spawn("routes", network_table_.keep_routes());
  group_.spawn("images", image_reporter_.run());
  group_.spawn("lease", keep_lease());
  group_.spawn("the mesh's key", mesh_.keep());
  group_.spawn("engines", adopter_.keep_looking());
  co_return base::Result<>{};
}

base::Co<> Agent::run() {
  group_.spawn("session", session_.run());
  while (!stopped_) CO_RETURN_IF_ERROR(co_await stop_.wait(stop_.count()));
  co_return base::Result<>{};
}

base::Co<> Agent::shutdown(Goodbye goodbye) {
  if (goodbye == Goodbye::kLeaving) {
    auto left = co_await session_.leave();
    if (!left) base::log::warn("{}", left.error().message);
  }
  stopped_ = true;
  stop_.notify();
  co_return co_await group_.shutdown();
}

base::Co<v1::Hello> Agent::make_hello() {
  v1::Hello hello;
  hello.set_node_uid(identity_.node_uid());
  hello.set_hostname(options_.hostname);
  hello.set_protocol(kProtocol);
  hello.mutable_labels()->insert(options_.labels.begin(), options_.labels.end());
  if (options_.address) hello.set_address(options_.address());
  CO_ASSIGN_OR_RETURN(const auto mesh, co_await mesh_.describe());
  if (mesh) *hello.mutable_mesh() = *mesh;
  auto read = [capabilities = parts_.capabilities]() -> base::Result<v1::NodeCapabilities> { return capabilities(); };
  CO_ASSIGN_OR_RETURN(*hello.mutable_capabilities(), co_await run_blocking(parts_.workers, std::move(read)));
  hello.mutable_capabilities()->set_hostname(options_.hostname);
  if (!options_.version.empty()) hello.mutable_capabilities()->set_agent_version(options_.version);
  co_return hello;
}

// The next process goes on with it: who was away for longer must not find its fenced tasks running.
base::Co<> Agent::keep_lease() {
  while (true) {
    const auto seen = lease_renewed_.count();
    v1::LeaseCheckpoint checkpoint;
    checkpoint.set_boot_id(tools_.boot_id);
    checkpoint.set_ends_ns(lease_.ends().time_since_epoch().count());
    if (seen > 0) {
      auto saved = co_await folder_.save_lease(std::move(checkpoint));
      if (!saved) base::log::warn("cannot remember the lease: {}", saved.error().message);
    }
    CO_RETURN_IF_ERROR(co_await lease_renewed_.wait(seen));
  }
}

void Agent::answered(base::Time asked, bool is_told) {
  mesh_.answered(asked, is_told);
  lease_.renew(asked, lease_length_);
  lease_renewed_.notify();
}

// As if it were told that nothing is to be here: tasks stop, and networks and the way of HTTP go with them. Volumes
// stay.
void Agent::removed() {
  v1::Assignments nothing;
  nothing.set_full(true);
  assigned(std::move(nothing));
}

base::Co<> Agent::welcomed(v1::Welcome welcome) {
  // The full set of another cluster would stop everything that this one runs here.
  if (!identity_.cluster_id().empty() && identity_.cluster_id() != welcome.cluster_id())
    co_return base::fail(
        base::Code::kFailedPrecondition,
        fmt::format("this node belongs to the cluster {}, but {} answered: connect it to its own, or "
                    "stop what runs here and remove {} to let it join the other",
                    identity_.cluster_id(), welcome.cluster_id(), (options_.folder / "identity").string()));
  lease_length_ = std::chrono::seconds(welcome.lease_seconds());
  mesh_.session_began();
  network_table_.set_addresses(welcome.host_address(), welcome.mesh_address());
  const bool same = identity_.node_uid() == welcome.node_uid() && identity_.node_name() == welcome.node_name() &&
                    identity_.cluster_id() == welcome.cluster_id();
  if (same) co_return base::Result<>{};
  v1::AgentIdentity identity;
  identity.set_node_uid(welcome.node_uid());
  identity.set_node_name(welcome.node_name());
  identity.set_cluster_id(welcome.cluster_id());
  CO_RETURN_IF_ERROR(co_await folder_.save_identity(identity));
  identity_ = std::move(identity);
  co_return base::Result<>{};
}

std::optional<base::Co<>> Agent::learn(std::string_view name, std::span<const std::string> addresses,
                                       std::chrono::seconds ttl) {
  if (!policies_.asks_for(name)) return std::nullopt;
  return policies_.learn(std::string(name), {addresses.begin(), addresses.end()}, ttl);
}

void Agent::assigned(v1::Assignments assignments) {
  // Networks first: tasks look theirs up.
  network_table_.apply(assignments);
  tasks_.apply(assignments);
  for (const auto& uid : assignments.removed_volumes()) group_.spawn("removal of volume " + uid, remove_volume(uid));
}

// Asked for again in the next session where it fails.
base::Co<> Agent::remove_volume(std::string uid) {
  CO_RETURN_IF_ERROR(co_await parts_.volumes.remove(uid));
  outbox_.put_removed_volume(std::move(uid));
  co_return base::Result<>{};
}

// The word for "nothing is left": the tasks' last files go first.
void Agent::say_gone_networks() {
  std::erase_if(gone_networks_, [this](const std::string& uid) {
    if (network_table_.has(uid)) return true;  // it came back; its next end will be said
    if (tasks_.has_task_in(uid)) return false;
    outbox_.put_removed_network(uid);
    return true;
  });
}

void Agent::stream_wanted(v1::StreamRequest request) {
  streams_.serve(std::move(request));
}

void Agent::may_forget(std::string task_uid) {
  tasks_.may_forget(task_uid);
}

}  // namespace orchion::node::agent
