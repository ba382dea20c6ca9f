#pragma once

// What of this machine runs tasks: what is installed on it, and which of that is the default.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/worker_pool.h"
#include "daemon/folders.h"
#include "node/agent/executors.h"
#include "v1/objects.pb.h"

namespace orchion::daemon {

// Whether this process can run containers at all, and if not why: not root, nothing installed that runs them.
base::Result<> check_machine();

// An engine that may be there, or come.
struct KnownEngine {
  std::string name;
  std::filesystem::path socket;
};

struct ExecutorParts {
  base::Executor executor;
  base::Clock& clock;
  base::WorkerPool& workers;
  node::images::Images& images;  // this machine's own
  const Folders& folders;
  std::string short_id;
  std::string preferred;  // the default's name; empty: the first found of oci, docker, podman, containerd
};

// Engines are found at $DOCKER_HOST, $CONTAINER_HOST (Podman's) and $CONTAINERD_ADDRESS, else where they usually are.
// One executor; destroyed on it, after the agent.
class NodeExecutors {
 public:
  // Opens what is there; what doesn't answer is left out, and the log says why. kNotFound where the preferred one isn't
  // there, or nothing at all. Blocks for a moment. What `parts` refers to outlives this.
  static base::Result<std::unique_ptr<NodeExecutors>> open(const ExecutorParts& parts);
  ~NodeExecutors();

  // Adds the engines that were started since. Doesn't block; one call at a time.
  base::Co<> look_again();

  const node::agent::Executors& executors() const { return executors_; }

  // Of all that are there. Any thread.
  std::vector<v1::RuntimeInfo> described() const;

  // Where a container of an engine gets its network from; none is started before.
  void wire_by(node::runtimes::WireNamespace wire) { *wire_ = std::move(wire); }

 private:
  struct Entry;
  using Opened = std::unique_ptr<Entry>;
  explicit NodeExecutors(const ExecutorParts& parts);

  using Wire = std::shared_ptr<node::runtimes::WireNamespace>;
  base::Result<Opened> open_oci() const;
  // With copies of all they need: this object may be gone when a worker is done with them.
  static base::Result<Opened> open_engine(const ExecutorParts& parts, const Wire& wire, const KnownEngine& engine);
  static base::Result<Opened> open_containerd(const ExecutorParts& parts, const std::filesystem::path& socket);
  base::Result<Opened> open_process() const;
  static base::Result<> put_default_first(const std::string& preferred, std::vector<Opened>& found);
  void add(Opened entry);
  void say_unusable(const KnownEngine& engine, const base::Error& error);

  const ExecutorParts parts_;
  Wire wire_;
  std::map<std::string, std::string> unusable_;  // engines, and the reason that the log has
  std::vector<Opened> entries_;
  node::agent::Executors executors_;
  mutable std::mutex mutex_;
  std::vector<v1::RuntimeInfo> described_;  // guarded by mutex_
};

}  // namespace orchion::daemon
