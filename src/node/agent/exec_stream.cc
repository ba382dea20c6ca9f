// A command in a running container, its input and output carried by a stream.

#include <utility>

#include "node/agent/process_stream.h"
#include "node/agent/streams.h"

namespace orchion::node::agent {

namespace {

runtimes::ExecConfig to_config(const v1::ExecStart& start) {
  runtimes::ExecConfig config;
  config.arguments.assign(start.command().begin(), start.command().end());
  for (const auto& variable : start.environment())
    config.environment.push_back(variable.name() + "=" + variable.value());
  config.user = start.user();
  config.working_dir = start.working_dir();
  config.tty = start.tty();
  config.stdin = start.stdin();
  config.columns = cells(start.size().columns(), config.columns);
  config.rows = cells(start.size().rows(), config.rows);
  return config;
}

std::optional<runtimes::ExecInput> read_input(v1::StreamToAgent message) {
  return message.has_exec() ? to_input(std::move(*message.mutable_exec())) : std::nullopt;
}

}  // namespace

base::Co<> StreamServer::exec(v1::NodeExec want, std::shared_ptr<DataStream> stream) {
  const auto* runner = parts_.tasks.find(want.task_uid());
  if (runner == nullptr || runner->status().state() != v1::RUNNING)
    co_return base::fail(base::Code::kFailedPrecondition,
                         "the task isn't running on its node: see `orchion ps`, and try one that is");
  CO_ASSIGN_OR_RETURN(auto started,
                      co_await runner->executor()->runtime.exec(want.task_uid(), to_config(want.start())));
  co_return co_await carry_process(std::move(started), std::move(stream), &read_input);
}

}  // namespace orchion::node::agent
