#include "cli/job_run_end.h"

#include <iostream>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"
#include "base/timeout.h"
#include "cli/last_lines.h"
#include "cli/output.h"
#include "cli/poll.h"
#include "cli/target.h"
#include "cli/task_output.h"
#include "core/jobs.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

using Api = std::shared_ptr<client::ApiClient>;

base::Co<v1::Run> poll_end(Api api, base::Clock* clock, v1::GetRunRequest wanted) {
  auto look = [](const base::Result<v1::Run>& run) -> std::optional<base::Result<v1::Run>> {
    if (run && !core::is_ended(run->status().state())) return std::nullopt;
    return run;
  };
  return poll_until<v1::Run>(std::move(api), clock, "orchion.v1.JobService.GetRun", std::move(wanted), look);
}

// A run of one task prints what that prints; of several each line says which.
std::function<std::string(const v1::LogLine&)> lead_of(const v1::Run& run) {
  if (run.spec().template_().completions() <= 1) return {};
  return [](const v1::LogLine& line) { return fmt::format("{}.{} | ", line.run(), line.slot()); };
}

base::Co<v1::Run> attend(Api api, base::Clock* clock, v1::Run run, bool follow) {
  v1::GetRunRequest wanted;
  wanted.set_stack(run.meta().stack());
  wanted.set_name(run.meta().name());
  if (follow) {
    auto logs = std::make_shared<v1::LogsRequest>();
    logs->set_stack(run.meta().stack());
    logs->set_run(run.meta().name());
    logs->set_follow(true);
    // A server that is started anew ends the stream, not the run.
    const auto printed = co_await print_output(api, logs, lead_of(run));
    if (!printed && printed.error().code != base::Code::kUnavailable) co_return std::unexpected(printed.error());
    if (!printed) std::cerr << "orchion: its output ends here: " << printed.error().message << "\n";
  }
  co_return co_await poll_end(api, clock, wanted);
}

// What its failed tasks wrote last, each led by the task's name.
base::Co<std::string> find_last_lines(Api api, v1::Run run) {
  v1::ListTasksRequest request;
  request.set_stack(run.meta().stack());
  request.set_run(run.meta().name());
  request.set_all(true);
  std::string text;
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto page,
                        co_await api->call<v1::ListTasksResponse>("orchion.v1.TaskService.ListTasks", request));
    for (const auto& task : page.tasks())
      if (task.status().state() == v1::FAILED && !task.status().last_output().empty())
        text +=
            fmt::format("{}{}:{}", text.empty() ? "" : "\n", core::short_name(task.spec()), last_lines(task.status()));
    if (page.next_page_token().empty()) co_return text;
    request.set_page_token(page.next_page_token());
  }
}

void print_last_lines(Context& context, Api api, const v1::Run& run) {
  const auto lines = context.run(find_last_lines(std::move(api), run));
  if (lines && !lines->empty()) context.say(*lines);
}

}  // namespace

base::Result<RunAddress> find_run(Context& context, const std::string& what) {
  ASSIGN_OR_RETURN(const auto address, find_address(context, what));
  if (address.index)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} names one task of a run: leave .{} out", what, *address.index));
  return RunAddress{address.stack, address.slot == 0 ? address.service : core::run_name(address.service, address.slot)};
}

int exit_code_of(const v1::Run& run) {
  if (run.status().state() == v1::RUN_SUCCEEDED) return kExitOk;
  const bool failed = run.status().state() == v1::RUN_FAILED && run.status().has_exit_code();
  return failed && run.status().exit_code() != 0 ? run.status().exit_code() : int{kExitFailed};
}

int wait_for_run(Context& context, Api api, const v1::Run& run, bool follow, std::optional<base::Duration> limit) {
  const auto name = run.meta().stack() + "/" + run.meta().name();
  auto waiting = attend(api, &context.clock(), run, follow && !wants_object(context));
  if (limit) waiting = base::with_timeout(context.clock(), *limit, "waiting for " + name, std::move(waiting));
  const auto ended = context.run(std::move(waiting));
  if (!ended) return context.fail(ended.error());
  const auto& status = ended->status();
  if (status.state() == v1::RUN_SUCCEEDED) {
    context.tell(fmt::format("{} {}", name, status.message()));
  } else {
    context.say(fmt::format("orchion: {} {}: {}", name, core::state_name(status.state()), status.message()));
    if (!follow) print_last_lines(context, api, *ended);
  }
  if (wants_object(context)) print_object(context, json_of(*ended));
  return exit_code_of(*ended);
}

}  // namespace orchion::cli
