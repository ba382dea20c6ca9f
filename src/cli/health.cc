#include <optional>

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/stack_part.h"
#include "cli/task_health.h"
#include "core/jobs.h"
#include "core/task_state.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

constexpr const char* kListTasks = "orchion.v1.TaskService.ListTasks";

enum class Wellness { kWell, kStarting, kUnwell };

struct Condition {
  std::string word;
  Wellness wellness = Wellness::kUnwell;
};

Condition condition_of(const v1::Task& task) {
  if (task.spec().desired_state() == v1::DESIRED_LOST) return {"lost"};
  switch (task.status().state()) {
    case v1::SUCCEEDED: return {"done", Wellness::kWell};
    case v1::FAILED: return {"failed"};
    case v1::STOPPED: return {"stopped"};
    case v1::STOPPING: return {"stopping"};
    case v1::RUNNING: break;
    default: return {"not started"};
  }
  if (task.status().health() != v1::HEALTH_BAD) {
    if (task.status().readiness() == v1::HEALTH_BAD) return {"not ready"};
    if (task.status().readiness() == v1::HEALTH_STARTING) return {"starting", Wellness::kStarting};
    if (core::is_healthy(task.status())) return {"healthy", Wellness::kWell};
  }
  switch (task.status().health()) {
    case v1::HEALTH_GOOD: return {"healthy", Wellness::kWell};
    case v1::HEALTH_STARTING: return {"starting", Wellness::kStarting};
    case v1::HEALTH_BAD: return {"unhealthy"};
    default: return {"runs, unchecked", Wellness::kWell};
  }
}

std::string note_of(const v1::Task& task) {
  if (!task.status().health_message().empty()) return task.status().health_message();
  if (!task.status().readiness_message().empty()) return task.status().readiness_message();
  if (!task.status().message().empty()) return task.status().message();
  return task.spec().assignment().node().empty() ? task.spec().placement_message() : "";
}

struct Wanted {
  v1::ListTasksRequest request;
  std::optional<core::Address> one_task;
};

// One task, one service, one stack, or everything.
base::Result<Wanted> make_request(Context& context, client::ApiClient& api, const FileOptions& files,
                                  const std::string& what) {
  v1::ListTasksRequest request;
  auto stack = find_stack(context, files);
  if (!stack && !files.files.empty()) return std::unexpected(stack.error());
  if (stack) request.set_stack(*stack);
  if (what.empty()) return Wanted{request, std::nullopt};
  const bool bare = what.find('/') == std::string::npos;
  const auto word = bare && !files.files.empty() ? *stack + "/" + what : what;
  ASSIGN_OR_RETURN(const auto address, find_part(context, api, word));
  request.set_stack(address.stack);
  request.set_service(address.service);
  return Wanted{request, address.slot != 0 ? std::optional(address) : std::nullopt};
}

base::Co<std::vector<v1::Task>> all_tasks(std::shared_ptr<client::ApiClient> api, v1::ListTasksRequest request) {
  std::vector<v1::Task> tasks;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto page, co_await api->call<v1::ListTasksResponse>(kListTasks, request));
    // How a job's runs are, their ends tell.
    for (const auto& task : page.tasks())
      if (task.spec().run().empty()) tasks.push_back(task);
    if (page.next_page_token().empty()) co_return tasks;
    request.set_page_token(page.next_page_token());
  }
}

}  // namespace

int run_health(Context& context, const FileOptions& files, const std::string& what) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto found = make_request(context, **api, files, what);
  if (!found) return context.refuse(found.error());
  if (found->one_task) return show_task_health(context, *found->one_task);
  const auto& request = found->request;
  const auto tasks = context.run(all_tasks(*api, request));
  if (!tasks) return context.fail(tasks.error());
  if (!request.stack().empty() && tasks->empty())
    return context.fail({base::Code::kNotFound,
                         fmt::format("{}{}{} has no tasks: see `orchion ps`, or start it with `orchion up`",
                                     request.stack(), request.service().empty() ? "" : "/", request.service()),
                         {}});

  std::vector<Row> rows;
  std::size_t unwell = 0;
  std::size_t starting = 0;
  for (const auto& task : *tasks) {
    const auto condition = condition_of(task);
    if (condition.wellness == Wellness::kUnwell) ++unwell;
    if (condition.wellness == Wellness::kStarting) ++starting;
    const auto name = task.meta().stack() + "/" + core::short_name(task.spec());
    rows.push_back({name, {name, condition.word, note_of(task)}, {}});
  }
  if (wants_object(context)) {
    const int printed = list_command<v1::ListTasksResponse>(context, kListTasks, request, {}, {},
                                                            [](const auto&) { return std::vector<Row>(); });
    if (printed != kExitOk) return printed;
  } else {
    print_rows(context, {"TASK", "HEALTH", "NOTE"}, {}, rows);
  }
  if (starting > 0)
    context.say(fmt::format("{} of {} tasks {} not answered its check yet: `orchion wait --for healthy` waits for that",
                            starting, tasks->size(), starting == 1 ? "has" : "have"));
  if (unwell == 0) return kExitOk;
  context.say(fmt::format("orchion: {} of {} tasks {} well: see `orchion ps` and `orchion logs`", unwell, tasks->size(),
                          unwell == 1 ? "isn't" : "aren't"));
  return kExitFailed;
}

}  // namespace orchion::cli
