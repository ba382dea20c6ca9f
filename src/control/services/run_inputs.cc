#include "control/services/run_inputs.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/log.h"
#include "control/auth/permissions.h"
#include "control/services/run_service.h"

namespace orchion::control::services {

using base::Code;

namespace {

constexpr auto kSweepEvery = std::chrono::minutes(10);

base::Error no_inputs_here() {
  return {Code::kFailedPrecondition, "this server keeps no inputs of runs", {}};
}

std::unexpected<base::Error> no_such_input() {
  return base::fail(Code::kNotFound, "no run that there is was given this input");
}

bool was_given(const store::View& view, const v1::Task& task, const std::string& digest) {
  const auto run = view.runs().find(task.meta().stack(), task.spec().run());
  if (!run) return false;
  const auto& given = run->spec().inputs();
  return std::any_of(given.begin(), given.end(), [&](const auto& input) { return input.second == digest; });
}

base::Result<> check_input(const v1::Job& job, const std::string& name) {
  core::Texts inputs;
  for (const auto& input : job.spec().inputs())
    if (input.name() == name) return {};
  // For its sentence.
  inputs[name] = "";
  auto checked = core::check_inputs(job.meta().name(), job.spec(), inputs);
  if (!checked) checked.error().fields = {{"/input", checked.error().message}};
  return checked;
}

base::Co<> send_piece(AgentStream* to, std::string data) {
  v1::StreamToAgent message;
  message.set_data(std::move(data));
  co_return co_await to->send(std::move(message));
}

}  // namespace

std::set<std::string> inputs_of_runs(const store::View& view) {
  std::set<std::string> digests;
  for (const auto& [name, run] : view.runs().all())
    for (const auto& [input, digest] : run->spec().inputs()) digests.insert(digest);
  return digests;
}

base::Co<> RunService::hold_inputs(core::Texts given) {
  if (given.empty()) co_return base::Result<>{};
  if (!inputs_) co_return std::unexpected(no_inputs_here());
  for (const auto& [name, digest] : given) {
    CO_ASSIGN_OR_RETURN(const bool is_there, co_await inputs_->touch(digest));
    if (is_there) continue;
    const auto why = fmt::format("the server has no {} for the input {}, or no longer: upload it again", digest, name);
    co_return std::unexpected(base::Error{Code::kFailedPrecondition, why, {{"/inputs", why}}});
  }
  co_return base::Result<>{};
}

base::Co<> RunService::upload_input(core::CallContext,
                                    core::TypedStream<v1::UploadInputRequest, v1::UploadInputResponse> stream) {
  CO_ASSIGN_OR_RETURN(auto piece, co_await stream.receive());
  if (!piece) co_return base::fail(Code::kInvalidArgument, "the upload carried nothing");
  CO_ASSIGN_OR_RETURN(const auto job, find_job_to_run(piece->stack(), piece->job()));
  CO_RETURN_IF_ERROR(check_input(*job, piece->input()));
  if (!inputs_) co_return std::unexpected(no_inputs_here());
  CO_ASSIGN_OR_RETURN(const auto upload, co_await inputs_->begin());
  std::int64_t bytes = 0;
  while (piece) {
    bytes += static_cast<std::int64_t>(piece->data().size());
    if (bytes > core::kInputBytesMax)
      co_return base::fail(
          Code::kResourceExhausted,
          fmt::format("an input may have {} GiB: put larger ones into a folder of the node, and name it "
                      "in the job's `volumes`",
                      core::kInputBytesMax >> 30));
    if (!piece->data().empty()) CO_RETURN_IF_ERROR(co_await upload->write(std::move(*piece->mutable_data())));
    CO_ASSIGN_OR_RETURN(piece, co_await stream.receive());
  }
  if (bytes == 0) co_return base::fail(Code::kInvalidArgument, "the upload carried nothing: send a tar");
  CO_ASSIGN_OR_RETURN(const auto kept, co_await upload->finish());
  v1::UploadInputResponse response;
  response.set_digest(kept.digest);
  response.set_bytes(kept.bytes);
  co_return co_await stream.send(std::move(response));
}

base::Co<> send_input(ServiceContext context, std::shared_ptr<inputs::InputFolder> inputs, core::CallContext call,
                      v1::InputFetch fetch, AgentStream to) {
  const auto& view = context.objects.view();
  if (fetch.task_uid().empty() && !auth::is_node(call.identity)) {
    // Another server: it keeps them, too.
    if (!inputs_of_runs(view).contains(fetch.digest())) co_return no_such_input();
  } else {
    const auto task = view.tasks().find_uid(fetch.task_uid());
    if (!task || !was_given(view, *task, fetch.digest())) co_return no_such_input();
    CO_RETURN_IF_ERROR(auth::may_speak_for(call.identity, task->spec().assignment().node_uid()));
  }
  if (!inputs) co_return std::unexpected(no_inputs_here());
  CO_ASSIGN_OR_RETURN(const auto file, co_await inputs->open(fetch.digest()));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await inputs->read(file));
    const bool last = piece.empty();
    CO_RETURN_IF_ERROR(co_await send_piece(&to, std::move(piece)));
    if (last) co_return base::Result<>{};
  }
}

base::Co<> sweep_inputs(ServiceContext context, std::shared_ptr<inputs::InputFolder> inputs) {
  while (true) {
    const auto swept = co_await inputs->sweep(inputs_of_runs(context.objects.view()), context.clock.wall());
    if (!swept) base::log::warn("inputs of runs can't be cleaned up: {}", swept.error().message);
    CO_RETURN_IF_ERROR(co_await context.clock.sleep(kSweepEvery));
  }
}

}  // namespace orchion::control::services
