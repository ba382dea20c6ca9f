#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "v1/checkpoint.pb.h"

namespace orchion::node::agent {

enum class Durability {
  kPageCache,  // survives the agent's end
  kDisk,       // survives a power cut too
};

// What the agent remembers across its own end: who it is, its tasks, its neighbours' names. One file each, with a
// checksum. One executor; of one file one operation at a time.
class CheckpointFolder {
 public:
  // `workers` must outlive this; null: everything happens inline, for simulations on one thread.
  CheckpointFolder(std::filesystem::path folder, base::WorkerPool* workers)
      : folder_(std::move(folder)), workers_(workers) {}

  struct Content {
    v1::AgentIdentity identity;
    std::vector<v1::TaskCheckpoint> tasks;
    v1::NetworkCheckpoint networks;
    v1::LeaseCheckpoint lease;
  };

  // Makes the folder where there is none. kDataLoss: a file is damaged; the message says which and how to go on
  // without it. Half-written files of a crash are removed.
  base::Co<Content> load();

  base::Co<> save_identity(v1::AgentIdentity identity);  // durable
  base::Co<> save_task(v1::TaskCheckpoint checkpoint, Durability durability);
  base::Co<> remove_task(std::string task_uid);
  base::Co<> save_lease(v1::LeaseCheckpoint lease);  // to the page cache: it means nothing after the machine's end
  base::Co<> save_networks(v1::NetworkCheckpoint networks);  // to the page cache: the control plane sends them anew

 private:
  std::filesystem::path task_file(const std::string& task_uid) const;

  std::filesystem::path folder_;
  base::WorkerPool* workers_;
};

// A message as a checkpoint's bytes, and back. kDataLoss where a bit isn't as it was written.
std::string frame(const google::protobuf::MessageLite& message);
base::Result<> unframe(std::string_view bytes, google::protobuf::MessageLite& message);

}  // namespace orchion::node::agent
