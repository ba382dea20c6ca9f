#include "node/agent/process_stream.h"

#include <algorithm>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace orchion::node::agent {

namespace {

// Until the user's side is gone. A process that takes no more input is no reason to stop its output.
base::Co<> carry_input(std::shared_ptr<DataStream> from, std::shared_ptr<ProcessEnd> to, ReadInput read) {
  bool takes_input = true;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await from->receive());
    if (!message) co_return base::fail(base::Code::kUnavailable, "the user's end of the command was closed");
    auto input = read(std::move(*message));
    if (!input || !takes_input) continue;
    auto sent = co_await to->send(std::move(*input));
    takes_input = sent.has_value();
  }
}

// Until the command has ended.
base::Co<> carry_output(std::shared_ptr<ProcessEnd> from, std::shared_ptr<DataStream> to) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto output, co_await from->receive());
    if (!output) co_return base::fail(base::Code::kUnavailable, "the container ended before the command did");
    const bool last = output->exit_code.has_value();
    CO_RETURN_IF_ERROR(co_await to->send(to_message(std::move(*output))));
    if (last) co_return base::Result<>{};
  }
}

}  // namespace

std::uint16_t cells(std::uint32_t count, std::uint16_t unset) {
  return count == 0 ? unset : static_cast<std::uint16_t>(std::min(count, 0xffffu));
}

v1::StreamFromAgent to_message(runtimes::ExecOutput output) {
  v1::StreamFromAgent message;
  if (output.out) message.mutable_exec()->set_stdout(std::move(*output.out));
  if (output.error) message.mutable_exec()->set_stderr(std::move(*output.error));
  if (output.exit_code) message.mutable_exec()->set_exit_code(*output.exit_code);
  return message;
}

base::Co<> carry_process(std::shared_ptr<ProcessEnd> process, std::shared_ptr<DataStream> stream, ReadInput read) {
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (carry_output(process, stream) || carry_input(stream, process, read));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::node::agent
