#include "node/runtimes/containerd/task_requests.h"

#include <cctype>
#include <charconv>

#include <fmt/core.h>

#include "node/runtimes/containerd/api/runc_options.pb.h"
#include "node/shim/bundle.h"
#include "node/shim/input_pipe.h"

namespace orchion::node::runtimes::containerd {

namespace {

constexpr char kRuntime[] = "io.containerd.runc.v2";
constexpr char kSpecType[] = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
constexpr char kProcessType[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";
constexpr char kOptionsType[] = "containerd.runc.v1.Options";
constexpr char kAttemptLabel[] = "orchion.attempt";

std::string escape(const std::string& text) {
  constexpr std::string_view kPlain = "/-_.~";
  std::string escaped;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || kPlain.find(c) != kPlain.npos) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

}  // namespace

Container container_of(const StartPlan& plan) {
  Container container;
  container.set_id(plan.id);
  (*container.mutable_labels())[kAttemptLabel] = std::to_string(plan.attempt);
  container.mutable_runtime()->set_name(kRuntime);
  container.mutable_spec()->set_type_url(kSpecType);
  container.mutable_spec()->set_value(plan.config_json);
  if (!plan.oci_runtime.empty()) {
    ::containerd::runc::v1::Options options;
    options.set_binary_name(plan.oci_runtime);
    container.mutable_runtime()->mutable_options()->set_type_url(kOptionsType);
    container.mutable_runtime()->mutable_options()->set_value(options.SerializeAsString());
  }
  return container;
}

std::uint32_t attempt_of(const Container& container) {
  const auto found = container.labels().find(kAttemptLabel);
  std::uint32_t attempt = 0;
  if (found != container.labels().end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), attempt);
  return attempt;
}

tasks_api::CreateTaskRequest task_of(const StartPlan& plan) {
  tasks_api::CreateTaskRequest request;
  request.set_container_id(plan.id);
  auto& root = *request.add_rootfs();
  root.set_type("overlay");
  root.set_source("overlay");
  root.add_options("upperdir=" + (plan.bundle / shim::kUpperFolder).native());
  root.add_options("workdir=" + (plan.bundle / shim::kWorkFolder).native());
  std::string lower = "lowerdir=";
  for (std::size_t i = 0; i < plan.layers.size(); ++i) lower += (i == 0 ? "" : ":") + plan.layers[i].native();
  root.add_options(lower);
  request.set_terminal(plan.tty);
  request.set_stdout(log_uri(plan));
  if (!plan.tty) request.set_stderr(request.stdout());
  if (plan.tty && plan.stdin_open) request.set_stdin((plan.bundle / shim::kInputFifo).native());
  return request;
}

std::string log_uri(const StartPlan& plan) {
  const auto target = std::to_string(plan.attempt) + ":" + plan.bundle.native();
  return "binary://" + escape(plan.shim.native()) + "?log=" + escape(target);
}

tasks_api::ExecProcessRequest exec_of(const std::string& id, const std::string& exec_id, std::string process_json) {
  tasks_api::ExecProcessRequest request;
  request.set_container_id(id);
  request.set_exec_id(exec_id);
  request.mutable_spec()->set_type_url(kProcessType);
  request.mutable_spec()->set_value(std::move(process_json));
  return request;
}

}  // namespace orchion::node::runtimes::containerd
