#pragma once

// The agent: runs on this machine what the control plane assigns to it, and goes on alone while that is away.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/random.h"
#include "node/agent/adopter.h"
#include "node/agent/image_reporter.h"
#include "node/agent/lease.h"
#include "node/agent/mesh_keeper.h"
#include "node/agent/node_files.h"
#include "node/agent/policy_keeper.h"
#include "node/agent/session.h"
#include "node/agent/streams.h"
#include "node/agent/task_table.h"
#include "node/probes/known_images.h"

namespace orchion::node::devices::gpus {
class Gpus;
}

namespace orchion::node::agent {

struct AgentOptions {
  std::filesystem::path folder;  // DATA/agent: its checkpoints; made where there is none
  std::string hostname;
  std::string version;  // empty: as the capabilities say
  std::map<std::string, std::string> labels;
  std::function<std::string()> address;   // IPv4, where other nodes reach this one, or ""; empty: nowhere
  std::int64_t log_bytes_max = 32 << 20;  // of each task
  int starts_at_once = 0;                 // 0: four for each CPU
  NodeFiles node_files = {};
  std::shared_ptr<const probes::KnownImages> known_images = {};  // null: what nobody says how to check isn't
  std::string boot_id;                                           // empty: the machine's
  base::Duration mesh_key_lifetime = std::chrono::hours(24 * 7);
};

// The machine's parts and the way out of it. They must outlive the agent.
struct AgentParts {
  ControlLink& link;
  base::Clock& clock;
  const Executors& executors;  // may become more
  images::Images& images;      // the machine's own
  networks::Networks& networks;
  volumes::Volumes& volumes;
  mesh::dns::RecordTable& records;
  Resolver& resolver;
  std::function<v1::NodeCapabilities()> capabilities;  // called on a worker; may take a millisecond
  // Adds to `executors` what can be found now; empty: there is nothing to find.
  std::function<base::Co<>()> look_for_executors = {};
  base::WorkerPool* workers = nullptr;        // null: everything inline, for simulations on one thread
  networks::MeshKeys* mesh = nullptr;         // null: this node speaks to others unencrypted
  logs::LogKeeper* log_keeper = nullptr;      // null: a gone task's output goes with it, none is compressed
  mesh::ingress::Ingress* ingress = nullptr;  // null: no HTTP is taken here
  devices::gpus::Gpus* gpus = nullptr;        // null: tasks are given none
};

// One executor. start(), then run(); shutdown() before it is destroyed.
class Agent final : private SessionHandler {
 public:
  Agent(base::Executor executor, AgentOptions options, AgentParts parts, std::uint64_t seed);
  ~Agent() override;

  // Takes over what an earlier process left: containers with a checkpoint go on as they are, those without one are
  // removed, and those of an executor that isn't there or doesn't answer are left alone until it does. kDataLoss: a
  // checkpoint is damaged; nothing was touched.
  base::Co<> start();

  // For runtimes that wire at each start: the network namespace at `path` is that of this task's container.
  base::Co<> wire(std::string task_uid, std::filesystem::path path) {
    return tasks_.wire(std::move(task_uid), std::move(path));
  }

  // What a name outside was just told to mean: nothing where no policy asks for it, else what to wait for before the
  // answer leaves.
  std::optional<base::Co<>> learn(std::string_view name, std::span<const std::string> addresses,
                                  std::chrono::seconds ttl);

  // Talks to the control plane until shutdown() or until cancelled. After a cancellation tasks still go on.
  base::Co<> run();

  enum class Goodbye {
    kSilent,   // as if the agent had been killed
    kLeaving,  // tells the control plane not to count this as a loss
  };

  // Ends the agent. What runs on the machine runs on.
  base::Co<> shutdown(Goodbye goodbye);

  bool connected() const { return session_.connected(); }
  const v1::AgentIdentity& identity() const { return identity_; }

 private:
  void removed() override;
  base::Co<> welcomed(v1::Welcome welcome) override;
  void answered(base::Time asked, bool is_told) override;
  void assigned(v1::Assignments assignments) override;
  void stream_wanted(v1::StreamRequest request) override;
  void may_forget(std::string task_uid) override;

  base::Co<> keep_lease();
  void say_gone_networks();
  base::Co<> remove_volume(std::string uid);
  base::Co<v1::Hello> make_hello();

  AgentOptions options_;
  AgentParts parts_;
  base::Random random_;
  base::TaskGroup group_;
  CheckpointFolder folder_;
  OutputFolder outputs_;
  Outbox outbox_;
  Slots slots_;
  Lease lease_;
  base::Duration lease_length_{};
  ChangeSignal lease_renewed_;
  PolicyKeeper policies_;
  NetworkTable network_table_;
  std::set<std::string> gone_networks_;  // uids, not told yet
  ImageReporter image_reporter_;
  ImageFetcher image_fetcher_;
  TaskInputs inputs_;
  TaskTools tools_;
  TaskTable tasks_;
  Adopter adopter_;
  StreamServer streams_;
  Session session_;
  MeshKeeper mesh_;
  v1::AgentIdentity identity_;
  bool stopped_ = false;
  ChangeSignal stop_;
};

}  // namespace orchion::node::agent
