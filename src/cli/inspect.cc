#include <algorithm>
#include <cctype>
#include <optional>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/stack_part.h"
#include "cli/task_timeline.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

struct TaskName {
  std::string stack;
  std::string name;
};

// "shop/web.1.k3f9qa": a task's own name, as `orchion events` has it.
std::optional<TaskName> parse_task_name(const std::string& what) {
  const auto slash = what.find('/');
  const auto last = what.rfind('.');
  const auto dots = std::ranges::count(what, '.');
  if (slash == std::string::npos || dots < 2 || dots > 3 || last + 1 == what.size()) return std::nullopt;
  const auto suffix = what.substr(last + 1);
  const bool is_plain = std::ranges::all_of(suffix, [](unsigned char c) { return std::isalnum(c) != 0; });
  const auto slot = core::parse_address(what.substr(0, last));
  if (!is_plain || !slot || slot->slot == 0) return std::nullopt;
  return TaskName{slot->stack, what.substr(slash + 1)};
}

int inspect_task(Context& context, const TaskName& task, bool previous) {
  if (!previous && (wants_object(context) || context.options().output.format == OutputFormat::kName)) {
    v1::GetTaskRequest request;
    request.set_stack(task.stack);
    request.set_name(task.name);
    return object_command(context, "orchion.v1.TaskService.GetTask", request);
  }
  v1::GetTaskTimelineRequest request;
  request.set_stack(task.stack);
  request.set_name(task.name);
  request.set_previous(previous);
  return show_task_timeline(context, request);
}

}  // namespace

int run_inspect(Context& context, const InspectOptions& options) {
  if (const auto task = parse_task_name(options.what)) return inspect_task(context, *task, options.previous);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto address = find_part(context, **api, options.what);
  if (!address) return context.refuse(address.error());
  if (!address->service.empty() && (address->slot != 0 || options.previous))
    return inspect_task(context, {address->stack, task_reference(*address)}, options.previous);
  if (options.previous)
    return context.refuse(
        {base::Code::kInvalidArgument, "--previous is for a task: name one, like STACK/SERVICE.1", {}});
  if (address->service.empty()) {
    v1::GetStackRequest request;
    request.set_name(address->stack);
    return object_command(context, "orchion.v1.StackService.GetStack", request);
  }
  v1::GetServiceRequest request;
  request.set_stack(address->stack);
  request.set_name(address->service);
  return object_command(context, "orchion.v1.ServiceService.GetService", request);
}

}  // namespace orchion::cli
