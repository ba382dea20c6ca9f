#include <algorithm>
#include <iostream>

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/target.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// What a person means by "is it well?": what runs without a check counts as long as it runs.
std::string health_text(const v1::Task& task) {
  const auto& status = task.status();
  switch (status.state()) {
    case v1::RUNNING: break;
    case v1::SUCCEEDED: return "completed";
    case v1::FAILED: return "failed";
    case v1::STOPPED: return "stopped";
    default: return "starting";
  }
  switch (status.health()) {
    case v1::HEALTH_GOOD: return "healthy";
    case v1::HEALTH_BAD: return "unhealthy";
    case v1::HEALTH_STARTING: return "starting";
    default: return "running";
  }
}

bool is_ill(const v1::Task& task) {
  const auto text = health_text(task);
  return text == "failed" || text == "unhealthy";
}

Row health_row(const v1::Task& task, base::WallTime now) {
  const auto name = task.meta().stack() + "/" + core::slot_name(task.spec().service(), task.spec().slot());
  const auto& status = task.status();
  std::string note = status.health_message().empty() ? status.message() : status.health_message();
  if (task.spec().assignment().node().empty()) note = task.spec().placement_message();
  return {name,
          {name, health_text(task), age_of(status.since(), now), std::to_string(status.restarts()), note},
          {task.spec().assignment().node(), task.meta().uid()}};
}

bool is_meant(const v1::Task& task, const std::vector<core::Address>& wanted) {
  return wanted.empty() || std::ranges::any_of(wanted, [&](const core::Address& address) {
           return address.stack == task.meta().stack() &&
                  (address.service.empty() || address.service == task.spec().service()) &&
                  (address.slot == 0 || address.slot == task.spec().slot());
         });
}

}  // namespace

int run_health(Context& context, const std::vector<std::string>& what) {
  v1::ListTasksRequest request;
  std::vector<core::Address> wanted;
  const auto here = find_stack(context);
  for (const auto& word : what) {
    auto address = core::parse_address(word);
    if (!address) return context.fail(address.error());
    if (address->stack.empty() && here) address->stack = *here;
    // Without a file beside it, a bare word is a stack.
    if (address->stack.empty()) *address = core::Address{address->service, "", 0};
    wanted.push_back(*address);
  }
  if (what.empty() && here) request.set_stack(*here);
  bool ill = false;
  const int code = list_command<v1::ListTasksResponse>(context, "orchion.v1.TaskService.ListTasks", request,
                                                       {"TASK", "HEALTH", "SINCE", "RESTARTS", "NOTE"}, {"NODE", "UID"},
                                                       [&](const v1::ListTasksResponse& response) {
                                                         std::vector<Row> rows;
                                                         for (const auto& task : response.tasks()) {
                                                           if (!is_meant(task, wanted)) continue;
                                                           ill = ill || is_ill(task);
                                                           rows.push_back(health_row(task, context.clock().wall()));
                                                         }
                                                         return rows;
                                                       });
  return code == kExitOk && ill ? int{kExitFailed} : code;
}

}  // namespace orchion::cli
