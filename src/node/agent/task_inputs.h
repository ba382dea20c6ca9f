#pragma once

// What tasks of jobs are given: files and folders that come from the server and are bound into containers.

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <google/protobuf/repeated_ptr_field.h>

#include "base/notifier.h"
#include "base/worker_pool.h"
#include "node/agent/control_link.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::agent {

// One executor. Each is on the node once, however many tasks are given it: "FOLDER/HEX/content", which is whole, and
// "FOLDER/HEX/tasks/TASK-UID" for each of them; the last takes it along.
class TaskInputs {
 public:
  using List = google::protobuf::RepeatedPtrField<v1::TaskInput>;

  // `workers` may be null.
  TaskInputs(base::Executor executor, ControlLink& link, base::Clock& clock, std::filesystem::path folder,
             base::WorkerPool* workers)
      : link_(link), clock_(clock), folder_(std::move(folder)), workers_(workers), changed_(std::move(executor)) {}

  // All of them, read-only, fetched where the node hasn't got them. kNotFound: the server hasn't either.
  base::Co<std::vector<runtimes::MountPoint>> provide(std::string task_uid, List inputs);

  // The task needs them no more.
  base::Co<> release(std::string task_uid, List inputs);

 private:
  struct Turn;
  base::Co<> wait_for_turn(std::string digest);
  base::Co<std::filesystem::path> provide_one(std::string task_uid, std::string digest);
  base::Co<> fetch(std::string task_uid, std::string digest, std::filesystem::path part);
  base::Co<> release_one(std::string task_uid, std::string digest);

  ControlLink& link_;
  base::Clock& clock_;
  std::filesystem::path folder_;
  base::WorkerPool* workers_;
  std::set<std::string> busy_;  // digests under way
  base::Notifier changed_;
};

}  // namespace orchion::node::agent
