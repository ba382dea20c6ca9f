#pragma once

// What the control plane is still to be told. Pure but for waking who sends it.

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "node/agent/change_signal.h"
#include "v1/dispatcher.pb.h"

namespace orchion::node::agent {

// Of each task only the newest report travels; what was reported is kept, to be told again to the next session.
// One executor.
class Outbox {
 public:
  explicit Outbox(base::Executor executor) : changed_(std::move(executor)) {}

  void put(v1::TaskReport report);
  void put_images(v1::NodeImages images);
  // False where another still waits to be sent: one is sent for both.
  bool put_heartbeat(v1::Heartbeat heartbeat);
  // Of this session: before any heartbeat that is put later.
  void put_mesh(v1::NodeMesh mesh);
  void put_removed_volume(std::string uid);
  void put_removed_network(std::string uid);
  void put_leaving();

  // No further word about this task.
  void forget(const std::string& task_uid);

  // Another session: it knows nothing yet.
  void begin_session();

  // The next message, in the order in which its subject first changed; nullopt: nothing is to be said.
  std::optional<v1::FromAgent> next();

  ChangeSignal& changed() { return changed_; }

 private:
  std::map<std::string, v1::TaskReport> reports_;  // by task uid: the newest
  std::set<std::string> unsaid_;                   // uids
  std::deque<std::string> queue_;                  // the same in order, forgotten ones too
  std::optional<v1::NodeImages> images_;
  bool images_waiting_ = false;
  std::optional<v1::NodeMesh> mesh_;
  std::optional<v1::Heartbeat> heartbeat_;
  std::deque<std::string> removed_volumes_;   // uids
  std::deque<std::string> removed_networks_;  // uids
  bool leaving_ = false;
  ChangeSignal changed_;
};

}  // namespace orchion::node::agent
