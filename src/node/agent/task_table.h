#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/agent/task_runner.h"

namespace orchion::node::agent {

// The tasks of this node, a runner each. One executor.
class TaskTable {
 public:
  explicit TaskTable(TaskTools& tools) : tools_(tools) {}

  // A task of an earlier process goes on.
  void restore(v1::TaskCheckpoint checkpoint, std::optional<runtimes::ContainerInfo> container);

  // One whose executor isn't there, and `why`: nobody knows what became of it. It is left as it is until it is
  // restored; what is assigned meanwhile holds from then on.
  void leave_alone(const v1::TaskCheckpoint& checkpoint, const std::string& why);

  // The tasks of an assignment: new ones begin, those that are no longer this node's are stopped and cleaned up.
  void apply(const v1::Assignments& assignments);

  void may_forget(const std::string& task_uid);

  // What no longer may be pruned. Called by itself when tasks come and go.
  void tell_used_images();

  // As Agent::wire().
  base::Co<> wire(std::string task_uid, std::filesystem::path path);

  // What this task shares with others has changed, for it and for who shares its network.
  void look_again(const std::string& task_uid);

  // nullptr where this node has no such task.
  const TaskRunner* find(const std::string& task_uid) const;
  bool has_task_in(const std::string& network_uid) const;
  std::size_t size() const { return runners_.size(); }

 private:
  struct LeftAlone {
    std::string why;
    std::vector<std::string> images;  // that its container needs
    std::optional<v1::TaskAssignment> newest;
    bool unwanted = false;
  };

  void unassign(const std::string& uid);
  void assign(const v1::TaskAssignment& assignment);
  void report_left_alone(const v1::Task& task, const std::string& why);
  void begin(std::shared_ptr<TaskRunner> runner);
  base::Co<> run(std::shared_ptr<TaskRunner> runner);

  TaskTools& tools_;
  std::map<std::string, std::shared_ptr<TaskRunner>> runners_;  // by task uid
  std::map<std::string, LeftAlone> left_alone_;                 // by task uid
};

}  // namespace orchion::node::agent
