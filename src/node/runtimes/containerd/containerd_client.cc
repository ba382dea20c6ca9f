#include "node/runtimes/containerd/containerd_client.h"

#include <chrono>
#include <csignal>

#include "node/runtimes/containerd/api/namespaces.pb.h"
#include "node/runtimes/containerd/api/version.pb.h"

namespace orchion::node::runtimes::containerd {

namespace {

using base::Co;
using base::Code;
using base::Result;
namespace containers_api = ::containerd::services::containers::v1;
namespace namespaces_api = ::containerd::services::namespaces::v1;

// Making a container starts programs, on a machine that may be busy.
constexpr base::Duration kLimit = std::chrono::seconds(60);

// Who takes longer to say its version is looked for again later.
constexpr base::Duration kFirstLimit = std::chrono::seconds(3);

constexpr char kTasks[] = "/containerd.services.tasks.v1.Tasks/";
constexpr char kContainers[] = "/containerd.services.containers.v1.Containers/";
constexpr char kNamespaces[] = "/containerd.services.namespaces.v1.Namespaces/";

template <class Message>
Result<Message> parse(const std::string& bytes) {
  Message message;
  if (message.ParseFromString(bytes)) return message;
  return base::fail(Code::kInternal, "containerd gave an answer that is none: see whether its version is at least 1.6");
}

Result<> allow(const Result<std::string>& answer, std::initializer_list<Code> codes) {
  if (answer) return {};
  for (const auto code : codes) {
    if (answer.error().code == code) return {};
  }
  return std::unexpected(answer.error());
}

}  // namespace

ContainerdClient::ContainerdClient(base::Executor executor, const std::filesystem::path& socket, std::string name_space)
    : executor_(executor), name_space_(std::move(name_space)), client_(executor, "unix://" + socket.native()) {}

Co<std::string> ContainerdClient::call(std::string method, std::string request, std::optional<base::Duration> limit) {
  return call_in(name_space_, std::move(method), std::move(request), limit);
}

Co<std::string> ContainerdClient::call_in(std::string name_space, std::string method, std::string request,
                                          std::optional<base::Duration> limit) {
  auto stream = client_.call(method, {{"containerd-namespace", std::move(name_space)}}, limit);
  // Where it is not accepted receive() says why.
  [[maybe_unused]] const auto sent = co_await stream->send(std::move(request));
  stream->finish();
  CO_ASSIGN_OR_RETURN(auto answer, co_await stream->receive());
  if (!answer) co_return base::fail(Code::kInternal, "containerd gave no answer to " + method);
  co_return *std::move(answer);
}

Co<std::string> ContainerdClient::version() {
  CO_ASSIGN_OR_RETURN(const auto answer,
                      co_await call("/containerd.services.version.v1.Version/Version", "", kFirstLimit));
  CO_ASSIGN_OR_RETURN(const auto response, parse<::containerd::services::version::v1::VersionResponse>(answer));
  co_return response.version();
}

Co<> ContainerdClient::make_namespace() {
  namespaces_api::CreateNamespaceRequest request;
  request.mutable_namespace_()->set_name(name_space_);
  const auto answer = co_await call(std::string(kNamespaces) + "Create", request.SerializeAsString(), kLimit);
  co_return allow(answer, {Code::kAlreadyExists});
}

Co<> ContainerdClient::remove_namespace() {
  namespaces_api::DeleteNamespaceRequest request;
  request.set_name(name_space_);
  const auto answer = co_await call(std::string(kNamespaces) + "Delete", request.SerializeAsString(), kLimit);
  co_return allow(answer, {Code::kNotFound, Code::kFailedPrecondition});
}

Co<std::vector<std::string>> ContainerdClient::list_namespaces() {
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::string(kNamespaces) + "List", "", kLimit));
  CO_ASSIGN_OR_RETURN(const auto response, parse<namespaces_api::ListNamespacesResponse>(answer));
  std::vector<std::string> names;
  for (const auto& name_space : response.namespaces()) names.push_back(name_space.name());
  co_return names;
}

Co<std::vector<Container>> ContainerdClient::list_containers(std::string name_space) {
  CO_ASSIGN_OR_RETURN(const auto answer,
                      co_await call_in(std::move(name_space), std::string(kContainers) + "List", "", kLimit));
  CO_ASSIGN_OR_RETURN(const auto response, parse<containers_api::ListContainersResponse>(answer));
  co_return std::vector<Container>(response.containers().begin(), response.containers().end());
}

Co<std::map<std::string, Task>> ContainerdClient::list_tasks(std::string name_space) {
  CO_ASSIGN_OR_RETURN(const auto answer,
                      co_await call_in(std::move(name_space), std::string(kTasks) + "List", "", kLimit));
  CO_ASSIGN_OR_RETURN(const auto response, parse<tasks_api::ListTasksResponse>(answer));
  std::map<std::string, Task> tasks;
  for (const auto& task : response.tasks()) tasks[task.container_id().empty() ? task.id() : task.container_id()] = task;
  co_return tasks;
}

Co<> ContainerdClient::create_container(Container container) {
  containers_api::CreateContainerRequest request;
  *request.mutable_container() = std::move(container);
  const auto answer = co_await call(std::string(kContainers) + "Create", request.SerializeAsString(), kLimit);
  co_return allow(answer, {});
}

Co<std::optional<Container>> ContainerdClient::find_container(std::string id) {
  containers_api::GetContainerRequest request;
  request.set_id(id);
  const auto answer = co_await call(std::string(kContainers) + "Get", request.SerializeAsString(), kLimit);
  if (!answer && answer.error().code == Code::kNotFound) co_return std::optional<Container>();
  if (!answer) co_return std::unexpected(answer.error());
  CO_ASSIGN_OR_RETURN(auto response, parse<containers_api::GetContainerResponse>(*answer));
  co_return std::optional<Container>(std::move(*response.mutable_container()));
}

Co<> ContainerdClient::delete_container(std::string id) {
  containers_api::DeleteContainerRequest request;
  request.set_id(id);
  const auto answer = co_await call(std::string(kContainers) + "Delete", request.SerializeAsString(), kLimit);
  co_return allow(answer, {Code::kNotFound});
}

Co<> ContainerdClient::create_task(tasks_api::CreateTaskRequest request) {
  const auto answer = co_await call(std::string(kTasks) + "Create", request.SerializeAsString(), kLimit);
  co_return allow(answer, {});
}

Co<std::optional<Task>> ContainerdClient::find_task(std::string id) {
  tasks_api::GetRequest request;
  request.set_container_id(id);
  const auto answer = co_await call(std::string(kTasks) + "Get", request.SerializeAsString(), kLimit);
  if (!answer && answer.error().code == Code::kNotFound) co_return std::optional<Task>();
  if (!answer) co_return std::unexpected(answer.error());
  CO_ASSIGN_OR_RETURN(auto response, parse<tasks_api::GetResponse>(*answer));
  co_return std::optional<Task>(std::move(*response.mutable_process()));
}

Co<> ContainerdClient::delete_task(std::string id) {
  tasks_api::DeleteTaskRequest request;
  request.set_container_id(id);
  const auto answer = co_await call(std::string(kTasks) + "Delete", request.SerializeAsString(), kLimit);
  co_return allow(answer, {Code::kNotFound});
}

Co<> ContainerdClient::create_exec(tasks_api::ExecProcessRequest request) {
  const auto answer = co_await call(std::string(kTasks) + "Exec", request.SerializeAsString(), kLimit);
  co_return allow(answer, {});
}

Co<> ContainerdClient::delete_exec(std::string id, std::string exec_id) {
  tasks_api::DeleteProcessRequest request;
  request.set_container_id(id);
  request.set_exec_id(exec_id);
  const auto answer = co_await call(std::string(kTasks) + "DeleteProcess", request.SerializeAsString(), kLimit);
  co_return allow(answer, {Code::kNotFound});
}

Co<> ContainerdClient::resize(std::string id, std::string exec_id, std::uint32_t columns, std::uint32_t rows) {
  tasks_api::ResizePtyRequest request;
  request.set_container_id(id);
  request.set_exec_id(exec_id);
  request.set_width(columns);
  request.set_height(rows);
  const auto answer = co_await call(std::string(kTasks) + "ResizePty", request.SerializeAsString(), kLimit);
  co_return allow(answer, {Code::kNotFound});
}

Co<> ContainerdClient::close_input(std::string id, std::string exec_id) {
  tasks_api::CloseIORequest request;
  request.set_container_id(id);
  request.set_exec_id(exec_id);
  request.set_stdin(true);
  const auto answer = co_await call(std::string(kTasks) + "CloseIO", request.SerializeAsString(), kLimit);
  co_return allow(answer, {Code::kNotFound});
}

Co<std::uint32_t> ContainerdClient::start(std::string id, std::string exec_id) {
  tasks_api::StartRequest request;
  request.set_container_id(id);
  request.set_exec_id(exec_id);
  CO_ASSIGN_OR_RETURN(const auto answer,
                      co_await call(std::string(kTasks) + "Start", request.SerializeAsString(), kLimit));
  CO_ASSIGN_OR_RETURN(const auto response, parse<tasks_api::StartResponse>(answer));
  co_return response.pid();
}

Co<ProcessEnd> ContainerdClient::wait(std::string id, std::string exec_id, std::optional<base::Duration> limit) {
  tasks_api::WaitRequest request;
  request.set_container_id(id);
  request.set_exec_id(exec_id);
  CO_ASSIGN_OR_RETURN(const auto answer,
                      co_await call(std::string(kTasks) + "Wait", request.SerializeAsString(), limit));
  CO_ASSIGN_OR_RETURN(const auto response, parse<tasks_api::WaitResponse>(answer));
  co_return ProcessEnd{response.exit_status()};
}

Co<> ContainerdClient::kill(std::string id, std::string exec_id, bool all) {
  tasks_api::KillRequest request;
  request.set_container_id(id);
  request.set_exec_id(exec_id);
  request.set_signal(SIGKILL);
  request.set_all(all);
  const auto answer = co_await call(std::string(kTasks) + "Kill", request.SerializeAsString(), kLimit);
  co_return allow(answer, {Code::kNotFound, Code::kFailedPrecondition});
}

}  // namespace orchion::node::runtimes::containerd
