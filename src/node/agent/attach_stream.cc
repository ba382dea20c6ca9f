// A container's own input and output, carried by a stream.

#include <utility>

#include <fmt/core.h>

#include "core/task_state.h"
#include "node/agent/process_stream.h"
#include "node/agent/streams.h"
#include "node/runtimes/attach/attach_output.h"

namespace orchion::node::agent {

namespace {

std::optional<runtimes::ExecInput> read_input(v1::StreamToAgent message) {
  return message.has_attach() ? to_input(std::move(*message.mutable_attach())) : std::nullopt;
}

runtimes::AttachConfig to_config(const v1::AttachStart& start) {
  return {.stdin = start.stdin(), .columns = cells(start.size().columns(), 0), .rows = cells(start.size().rows(), 0)};
}

// Of a container that may be gone: what it wrote is kept a while longer, and how it ended is the task's to say.
base::Co<> replay(base::Executor executor, std::filesystem::path folder, v1::TaskStatus status,
                  std::shared_ptr<DataStream> stream) {
  auto output = runtimes::attach::open_segment_output(std::move(executor), std::move(folder), status.attempt());
  if (output) {
    (*output)->finish();
    while (true) {
      CO_ASSIGN_OR_RETURN(auto piece, co_await (*output)->next());
      if (!piece) break;
      CO_RETURN_IF_ERROR(co_await stream->send(to_message(std::move(*piece))));
    }
  }
  runtimes::ExecOutput last;
  last.exit_code = status.exit_code();
  co_return co_await stream->send(to_message(std::move(last)));
}

}  // namespace

base::Co<> StreamServer::attach(v1::NodeAttach want, std::shared_ptr<DataStream> stream) {
  const auto* runner = parts_.tasks.find(want.task_uid());
  if (runner == nullptr || runner->executor() == nullptr || !runner->status().has_started_at())
    co_return base::fail(base::Code::kFailedPrecondition,
                         "the task was not started on its node: see `orchion ps`, and try one that was");
  auto& runtime = runner->executor()->runtime;
  if (core::is_terminal(runner->status().state()))
    co_return co_await replay(parts_.group.executor(), runtime.log_folder(want.task_uid()), runner->status(),
                              std::move(stream));
  CO_ASSIGN_OR_RETURN(auto attached, co_await runtime.attach(want.task_uid(), to_config(want.start())));
  co_return co_await carry_process(std::move(attached), std::move(stream), &read_input);
}

}  // namespace orchion::node::agent
