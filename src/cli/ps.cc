#include <map>
#include <vector>

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/route.h"
#include "core/jobs.h"
#include "core/task_state.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// Where HTTP reaches services, by "STACK/SERVICE".
using Addresses = std::map<std::string, std::vector<std::string>>;

base::Result<Addresses> read_addresses(Context& context, const std::string& stack) {
  Addresses addresses;
  ASSIGN_OR_RETURN(const auto routes, read_routes(context, stack));
  for (const auto& view : routes) {
    auto& known = addresses[view.stack() + "/" + view.service()];
    if (view.message().empty()) known.insert(known.end(), view.addresses().begin(), view.addresses().end());
  }
  return addresses;
}

bool is_led_to(const v1::Task& task) {
  return task.status().state() == v1::RUNNING && task.spec().desired_state() == v1::DESIRED_RUNNING &&
         core::is_ready(task.status());
}

// How it is reached from outside.
std::string ports_text(const v1::Task& task, const Addresses& addresses) {
  std::string out;
  for (const auto& port : task.spec().assignment().ports())
    out += fmt::format("{}{}{}→{}{}", out.empty() ? "" : ", ", port.host_ip().empty() ? "" : port.host_ip() + ":",
                       port.host_port(), port.container_port(), port.protocol() == "udp" ? "/udp" : "");
  const auto found = addresses.find(task.meta().stack() + "/" + task.spec().service());
  if (found == addresses.end() || !is_led_to(task)) return out;
  for (const auto& address : found->second) out += (out.empty() ? "" : ", ") + address;
  return out;
}

// The state that a person wants: what the controllers decided wins over what the agent said last.
std::string state_text(const v1::Task& task) {
  if (task.spec().desired_state() == v1::DESIRED_LOST) return "lost";
  std::string name = v1::TaskState_Name(task.status().state());
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

std::string note_text(const v1::Task& task) {
  if (!task.status().message().empty()) return task.status().message();
  return task.spec().assignment().node().empty() ? task.spec().placement_message() : "";
}

Row task_row(const v1::Task& task, const Addresses& reached, base::WallTime now) {
  const auto name = task.meta().stack() + "/" + core::short_name(task.spec());
  std::string addresses;
  for (const auto& address : task.spec().assignment().addresses())
    addresses += (addresses.empty() ? "" : ", ") + address.address();
  const bool runs = task.status().state() == v1::RUNNING;
  return {
      name,
      {name, state_text(task), runs ? age_of(task.status().started_at(), now) : "-", task.spec().assignment().node(),
       ports_text(task, reached), std::to_string(task.status().restarts()), note_text(task)},
      {task.spec().revision(), addresses, std::to_string(task.status().pid()), task.meta().uid()}};
}

}  // namespace

int run_ps(Context& context, bool all, const FileOptions& files) {
  v1::ListTasksRequest request;
  request.set_all(all);
  // Beside a file its stack is meant; elsewhere everything is shown.
  auto stack = find_stack(context, files);
  if (stack) request.set_stack(*stack);
  if (!stack && !files.files.empty()) return context.refuse(stack.error());
  const auto format = context.options().output.format;
  Addresses reached;
  if (format == OutputFormat::kTable || format == OutputFormat::kWide) {
    auto read = read_addresses(context, request.stack());
    if (!read) return context.fail(read.error());
    reached = std::move(*read);
  }
  return list_command<v1::ListTasksResponse>(context, "orchion.v1.TaskService.ListTasks", request,
                                             {"TASK", "STATE", "UP", "NODE", "PORTS", "RESTARTS", "NOTE"},
                                             {"REVISION", "ADDRESS", "PID", "UID"},
                                             [&](const v1::ListTasksResponse& response) {
                                               std::vector<Row> rows;
                                               for (const auto& task : response.tasks())
                                                 rows.push_back(task_row(task, reached, context.clock().wall()));
                                               return rows;
                                             });
}

int run_stack_ls(Context& context) {
  return list_command<v1::ListStacksResponse>(
      context, "orchion.v1.StackService.ListStacks", v1::ListStacksRequest(),
      {"STACK", "SERVICES", "TASKS", "AGE", "NOTE"}, {"UID"}, [&](const v1::ListStacksResponse& response) {
        std::vector<Row> rows;
        for (const auto& stack : response.stacks()) {
          const auto& status = stack.status();
          rows.push_back({stack.meta().name(),
                          {stack.meta().name(), std::to_string(stack.spec().services_size()),
                           fmt::format("{}/{}", status.tasks_running(), status.tasks_desired()),
                           age_of(stack.meta().created_at(), context.clock().wall()),
                           stack.meta().has_deleted_at() ? "being removed" : status.message()},
                          {stack.meta().uid()}});
        }
        return rows;
      });
}

}  // namespace orchion::cli
