#pragma once

// What of this machine runs tasks: what is installed on it, and which of that is the default.

#include <memory>
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
  // there, or nothing at all. Blocks for a moment.
  static base::Result<std::unique_ptr<NodeExecutors>> open(const ExecutorParts& parts);
  ~NodeExecutors();

  node::agent::Executors executors() const;
  const std::vector<v1::RuntimeInfo>& described() const { return described_; }

  // Where a container of an engine gets its network from; none is started before.
  void wire_by(node::runtimes::WireNamespace wire) { *wire_ = std::move(wire); }

 private:
  struct Entry;
  NodeExecutors();

  void add(std::string name, std::unique_ptr<node::runtimes::Runtime> runtime, node::images::ImageSource* images);
  base::Result<> open_oci(const ExecutorParts& parts);
  base::Result<> open_engine(const ExecutorParts& parts, const std::string& name, const std::filesystem::path& socket);
  base::Result<> open_containerd(const ExecutorParts& parts, const std::filesystem::path& socket);
  base::Result<> open_process(const ExecutorParts& parts);
  base::Result<> choose_default(const std::string& preferred);

  std::shared_ptr<node::runtimes::WireNamespace> wire_;
  std::vector<std::unique_ptr<Entry>> entries_;  // the default first
  std::vector<v1::RuntimeInfo> described_;
};

}  // namespace orchion::daemon
