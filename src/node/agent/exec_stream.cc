// A command in a running container, its input and output carried by a stream.

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "node/agent/streams.h"

namespace orchion::node::agent {

namespace {

using ExecEnd = base::Stream<runtimes::ExecOutput, runtimes::ExecInput>;

std::uint16_t cells(std::uint32_t count, std::uint16_t unset) {
  return count == 0 ? unset : static_cast<std::uint16_t>(std::min(count, 0xffffu));
}

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

std::optional<runtimes::ExecInput> to_input(v1::ExecInput message) {
  runtimes::ExecInput input;
  switch (message.input_case()) {
    case v1::ExecInput::kData: input.data = std::move(*message.mutable_data()); return input;
    case v1::ExecInput::kEnd: input.end = true; return input;
    case v1::ExecInput::kResize:
      input.resize.emplace(cells(message.resize().columns(), 80), cells(message.resize().rows(), 24));
      return input;
    default: return std::nullopt;
  }
}

v1::StreamFromAgent to_message(runtimes::ExecOutput output) {
  v1::StreamFromAgent message;
  if (output.out) message.mutable_exec()->set_stdout(std::move(*output.out));
  if (output.error) message.mutable_exec()->set_stderr(std::move(*output.error));
  if (output.exit_code) message.mutable_exec()->set_exit_code(*output.exit_code);
  return message;
}

// Until the user's side is gone. A process that takes no more input is no reason to stop its output.
base::Co<> carry_input(std::shared_ptr<DataStream> from, std::shared_ptr<ExecEnd> to) {
  bool takes_input = true;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await from->receive());
    if (!message) co_return base::fail(base::Code::kUnavailable, "the user's end of the command was closed");
    auto input = message->has_exec() ? to_input(std::move(*message->mutable_exec())) : std::nullopt;
    if (!input || !takes_input) continue;
    auto sent = co_await to->send(std::move(*input));
    takes_input = sent.has_value();
  }
}

// Until the command has ended.
base::Co<> carry_output(std::shared_ptr<ExecEnd> from, std::shared_ptr<DataStream> to) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto output, co_await from->receive());
    if (!output) co_return base::fail(base::Code::kUnavailable, "the container ended before the command did");
    const bool last = output->exit_code.has_value();
    CO_RETURN_IF_ERROR(co_await to->send(to_message(std::move(*output))));
    if (last) co_return base::Result<>{};
  }
}

}  // namespace

base::Co<> StreamServer::exec(v1::NodeExec want, std::shared_ptr<DataStream> stream) {
  const auto* runner = parts_.tasks.find(want.task_uid());
  if (runner == nullptr || runner->status().state() != v1::RUNNING)
    co_return base::fail(base::Code::kFailedPrecondition,
                         "the task isn't running on its node: see `orchion ps`, and try one that is");
  CO_ASSIGN_OR_RETURN(auto started,
                      co_await runner->executor()->runtime.exec(want.task_uid(), to_config(want.start())));
  std::shared_ptr<ExecEnd> process = std::move(started);
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (carry_output(process, stream) || carry_input(stream, process));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::node::agent
