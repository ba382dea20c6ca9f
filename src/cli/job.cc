#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <google/protobuf/util/time_util.h>

#include "cli/commands.h"
#include "cli/job_run_end.h"
#include "cli/list.h"
#include "core/jobs.h"
#include "core/timestamps.h"
#include "spec/choices.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

std::string time_text(bool there, google::protobuf::Timestamp time) {
  if (!there) return "-";
  time.set_nanos(0);
  return google::protobuf::util::TimeUtil::ToString(time);
}

std::string schedule_text(const v1::JobSpec& job) {
  if (!job.has_schedule()) return "-";
  auto text = fmt::format("{}", fmt::join(job.schedule().cron(), "; "));
  if (job.schedule().time_zone() != "UTC") text += " " + job.schedule().time_zone();
  return job.schedule().paused() ? text + " (paused)" : text;
}

std::string took_text(const v1::RunStatus& status, base::WallTime now) {
  if (!status.has_started_at()) return "-";
  if (!status.has_finished_at()) return age_of(status.started_at(), now);
  return age_of(status.started_at(), core::from_timestamp(status.finished_at()));
}

Row run_row(const v1::Run& run, base::WallTime now) {
  const auto& status = run.status();
  const auto name = run.meta().stack() + "/" + run.meta().name();
  const auto completions = run.spec().template_().completions();
  return {name,
          {name, std::string(core::state_name(status.state())),
           fmt::format("{}/{}", status.succeeded(), std::max(completions, 1u)),
           status.has_exit_code() ? std::to_string(status.exit_code()) : "-", age_of(run.meta().created_at(), now),
           took_text(status, now), status.message()},
          {time_text(run.spec().has_slot(), run.spec().slot()), run.spec().retry_of(), run.meta().uid()}};
}

Row job_row(const v1::Job& job, base::WallTime now) {
  const auto name = job.meta().stack() + "/" + job.meta().name();
  return {
      name,
      {name, schedule_text(job.spec()), time_text(job.status().has_next_slot(), job.status().next_slot()),
       job.status().last_run().empty() ? "-" : job.status().last_run(), std::to_string(job.status().runs_active()),
       age_of(job.meta().created_at(), now), job.meta().has_deleted_at() ? "being removed" : job.status().message()},
      {job.spec().queue().empty() ? "-" : job.spec().queue(), job.meta().uid()}};
}

Row queue_row(const v1::QueueState& queue) {
  const auto name = queue.stack() + "/" + queue.name();
  const auto slots = queue.spec().slots();
  return {name,
          {name, slots == 0 ? "any" : std::to_string(slots), std::to_string(queue.active()),
           std::to_string(queue.waiting()), queue.next().empty() ? "-" : queue.next()},
          {std::to_string(queue.jobs()), spec::placement_word(queue.spec().placement())}};
}

}  // namespace

int run_job_ls(Context& context) {
  v1::ListJobsRequest request;
  request.set_stack(context.options().stack);
  return list_command<v1::ListJobsResponse>(context, "orchion.v1.JobService.ListJobs", request,
                                            {"JOB", "SCHEDULE", "NEXT", "LAST", "ACTIVE", "AGE", "NOTE"},
                                            {"QUEUE", "UID"}, [&](const v1::ListJobsResponse& response) {
                                              std::vector<Row> rows;
                                              for (const auto& job : response.jobs())
                                                rows.push_back(job_row(job, context.clock().wall()));
                                              return rows;
                                            });
}

int run_job_queues(Context& context) {
  auto request = std::make_shared<v1::ListQueuesRequest>();
  request->set_stack(context.options().stack);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto json = context.run((*api)->call_json("orchion.v1.JobService.ListQueues", request));
  if (!json) return context.fail(json.error());
  if (wants_object(context)) return print_list(context, *json, list_key<v1::ListQueuesResponse>());
  v1::ListQueuesResponse response;
  if (auto parsed = client::parse_json(*json, response); !parsed) return context.fail(parsed.error());
  std::vector<Row> rows;
  for (const auto& queue : response.queues()) rows.push_back(queue_row(queue));
  print_rows(context, {"QUEUE", "SLOTS", "AT WORK", "WAITING", "NEXT"}, {"JOBS", "PLACEMENT"}, rows);
  return kExitOk;
}

int run_job_rm(Context& context, const std::vector<std::string>& what) {
  std::vector<core::Address> jobs;
  for (const auto& word : what) {
    auto address = find_address(context, word);
    if (!address) return context.refuse(address.error());
    if (address->slot != 0)
      return context.refuse({base::Code::kInvalidArgument,
                             fmt::format("{} names a run, which goes with its job, or in time: name the job", word),
                             {}});
    jobs.push_back(std::move(*address));
  }
  if (!context.confirm(fmt::format("remove {} and all runs?", fmt::join(what, ", ")))) return kExitInterrupted;
  auto api = context.api();
  if (!api) return context.fail(api.error());
  for (const auto& job : jobs) {
    v1::DeleteJobRequest request;
    request.set_stack(job.stack);
    request.set_name(job.service);
    const auto gone = context.run((*api)->call<v1::Job>("orchion.v1.JobService.DeleteJob", std::move(request)));
    if (!gone) return context.fail(gone.error());
    context.tell(fmt::format("{}/{} goes, with its runs", job.stack, job.service));
  }
  return kExitOk;
}

int run_job_history(Context& context, const std::string& what) {
  v1::ListRunsRequest request;
  request.set_stack(context.options().stack);
  if (!what.empty()) {
    const auto address = find_address(context, what);
    if (!address) return context.refuse(address.error());
    request.set_stack(address->stack);
    request.set_job(address->service);
  }
  return list_command<v1::ListRunsResponse>(context, "orchion.v1.JobService.ListRuns", request,
                                            {"RUN", "STATE", "DONE", "EXIT", "AGE", "TOOK", "NOTE"},
                                            {"SLOT", "RETRY OF", "UID"}, [&](const v1::ListRunsResponse& response) {
                                              std::vector<Row> rows;
                                              for (const auto& run : response.runs())
                                                rows.push_back(run_row(run, context.clock().wall()));
                                              return rows;
                                            });
}

int run_job_inspect(Context& context, const std::string& what) {
  const auto address = find_address(context, what);
  if (!address) return context.refuse(address.error());
  if (address->slot == 0) {
    v1::GetJobRequest request;
    request.set_stack(address->stack);
    request.set_name(address->service);
    return object_command(context, "orchion.v1.JobService.GetJob", request);
  }
  const auto run = find_run(context, what);
  if (!run) return context.refuse(run.error());
  v1::GetRunRequest request;
  request.set_stack(run->stack);
  request.set_name(run->run);
  return object_command(context, "orchion.v1.JobService.GetRun", request);
}

int run_job_cancel(Context& context, const std::vector<std::string>& what) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  for (const auto& word : what) {
    const auto address = find_run(context, word);
    if (!address) return context.refuse(address.error());
    v1::CancelRunRequest request;
    request.set_stack(address->stack);
    request.set_name(address->run);
    const auto run = context.run((*api)->call<v1::Run>("orchion.v1.JobService.CancelRun", std::move(request)));
    if (!run) return context.fail(run.error());
    context.tell(fmt::format("{}/{} ends", address->stack, run->meta().name()));
  }
  return kExitOk;
}

}  // namespace orchion::cli
