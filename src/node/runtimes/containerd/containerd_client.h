#pragma once

// containerd's API as far as it is used, in one of its namespaces.
// Source: https://github.com/containerd/containerd/tree/release/1.6/api/services

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/co.h"
#include "node/runtimes/containerd/api/containers.pb.h"
#include "node/runtimes/containerd/api/task.pb.h"
#include "node/runtimes/containerd/api/tasks.pb.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::node::runtimes::containerd {

namespace tasks_api = ::containerd::services::tasks::v1;
using Container = ::containerd::services::containers::v1::Container;
using Task = ::containerd::v1::types::Process;

struct ProcessEnd {
  std::uint32_t status = 0;  // 128 + signal where a signal ended it
};

// One executor. Every call but a wait() without one has a deadline; kUnavailable where containerd doesn't answer. An
// empty exec id means the container's first process.
class ContainerdClient {
 public:
  ContainerdClient(base::Executor executor, const std::filesystem::path& socket, std::string name_space);

  const base::Executor& executor() const { return executor_; }
  const std::string& name_space() const { return name_space_; }

  base::Co<std::string> version();

  // No error where it is there already; nor, the other way round, where it is gone or something is in it.
  base::Co<> make_namespace();
  base::Co<> remove_namespace();

  // Every one that containerd has, ours included.
  base::Co<std::vector<std::string>> list_namespaces();
  // All of a namespace, by id.
  base::Co<std::vector<Container>> list_containers(std::string name_space);
  base::Co<std::map<std::string, Task>> list_tasks(std::string name_space);

  base::Co<> create_container(Container container);
  base::Co<std::optional<Container>> find_container(std::string id);
  base::Co<> delete_container(std::string id);  // no error where it is gone

  base::Co<> create_task(tasks_api::CreateTaskRequest request);
  base::Co<std::optional<Task>> find_task(std::string id);
  base::Co<> delete_task(std::string id);  // no error where it is gone; its logger has ended then

  base::Co<> create_exec(tasks_api::ExecProcessRequest request);
  base::Co<> delete_exec(std::string id, std::string exec_id);  // no error where it is gone
  base::Co<> resize(std::string id, std::string exec_id, std::uint32_t columns, std::uint32_t rows);
  base::Co<> close_input(std::string id, std::string exec_id);

  base::Co<std::uint32_t> start(std::string id, std::string exec_id);  // its pid
  base::Co<ProcessEnd> wait(std::string id, std::string exec_id, std::optional<base::Duration> limit = std::nullopt);
  base::Co<> kill(std::string id, std::string exec_id, bool all);  // no error where it has ended

 private:
  base::Co<std::string> call(std::string method, std::string request, std::optional<base::Duration> limit);
  base::Co<std::string> call_in(std::string name_space, std::string method, std::string request,
                                std::optional<base::Duration> limit);

  base::Executor executor_;
  std::string name_space_;
  wire::grpc::GrpcClient client_;
};

}  // namespace orchion::node::runtimes::containerd
