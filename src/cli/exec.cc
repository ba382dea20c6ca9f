#include <poll.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include <google/protobuf/util/json_util.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/channel.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

using boost::asio::experimental::awaitable_operators::operator||;
using Inputs = base::Channel<v1::ExecInput>;

base::Co<> send_message(wire::WebSocket* socket, v1::ExecInput input) {
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(input, &json);
  if (!printed.ok()) co_return base::fail(base::Code::kInternal, "cannot write a message to the server");
  wire::WebSocket::Message message{std::move(json), false};
  co_return co_await socket->send(std::move(message));
}

// Everything that is sent goes through one queue: a WebSocket has one writer.
base::Co<> send_inputs(wire::WebSocket* socket, std::shared_ptr<Inputs> inputs) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto input, co_await inputs->receive());
    if (!input) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await send_message(socket, std::move(*input)));
  }
}

// Files can't be waited for with epoll, and are always ready: they are read as they are.
base::Co<> read_input(std::shared_ptr<Inputs> inputs) {
  auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::posix::stream_descriptor input(executor);
  boost::system::error_code assigned;
  base::UniqueFd own(open_own_input());
  input.assign(own.get(), assigned);
  if (!assigned) own.release();
  std::array<char, 32768> buffer;
  while (true) {
    std::size_t n = 0;
    if (assigned) {
      const auto got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      n = got > 0 ? static_cast<std::size_t>(got) : 0;
    } else {
      auto [error, got] = co_await input.async_read_some(boost::asio::buffer(buffer),
                                                         boost::asio::as_tuple(boost::asio::use_awaitable));
      n = error ? 0 : got;
    }
    v1::ExecInput message;
    if (n == 0) {
      message.set_end(true);
    } else {
      message.set_data(buffer.data(), n);
    }
    CO_RETURN_IF_ERROR(co_await inputs->send(std::move(message)));
    if (n == 0) co_return co_await base::wait_for_ever();
  }
}

base::Co<> watch_size(std::shared_ptr<Inputs> inputs) {
  boost::asio::signal_set changed(co_await boost::asio::this_coro::executor, SIGWINCH);
  while (true) {
    auto [error, number] = co_await changed.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) co_return base::fail(base::Code::kCancelled, "interrupted");
    v1::ExecInput message;
    *message.mutable_resize() = terminal_size();
    CO_RETURN_IF_ERROR(co_await inputs->send(std::move(message)));
  }
}

void write_all(int fd, const std::string& data) {
  std::size_t done = 0;
  while (done < data.size()) {
    const auto n = ::write(fd, data.data() + done, data.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      // Whoever shares our output made it non-blocking.
      pollfd waiting{fd, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
      continue;
    }
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

base::Co<int> read_outputs(wire::WebSocket* socket) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await socket->receive());
    if (!message) co_return base::fail(base::Code::kUnavailable, "the server ended the connection");
    v1::ExecOutput output;
    CO_RETURN_IF_ERROR(client::parse_json(message->data, output));
    if (output.has_exit_code()) co_return output.exit_code();
    if (output.output_case() == v1::ExecOutput::kStdout) write_all(STDOUT_FILENO, output.stdout());
    if (output.output_case() == v1::ExecOutput::kStderr) write_all(STDERR_FILENO, output.stderr());
  }
}

base::Co<int> run_session(std::shared_ptr<client::ApiClient> api, v1::ExecInput start) {
  CO_ASSIGN_OR_RETURN(auto socket, co_await api->open_socket("orchion.v1.TaskService.Exec"));
  const bool tty = start.start().tty();
  const bool wants_input = start.start().stdin();
  auto inputs = std::make_shared<Inputs>(co_await boost::asio::this_coro::executor, 16);
  CO_RETURN_IF_ERROR(co_await inputs->send(std::move(start)));
  auto reading = wants_input ? read_input(inputs) : base::wait_for_ever();
  auto resizing = tty ? watch_size(inputs) : base::wait_for_ever();
  auto ended = co_await (read_outputs(socket.get()) || send_inputs(socket.get(), inputs) || std::move(reading) ||
                         std::move(resizing));
  if (ended.index() == 0) co_return std::get<0>(std::move(ended));
  // Something failed while the command ran; what the server said about it says more.
  co_return co_await read_outputs(socket.get());
}

base::Result<v1::ExecInput> make_start(Context& context, const ExecOptions& options) {
  ASSIGN_OR_RETURN(const auto address, find_address(context, options.what));
  v1::ExecInput input;
  auto& start = *input.mutable_start();
  start.set_stack(address.stack);
  start.set_task(task_reference(address));
  for (const auto& part : options.command) start.add_command(part);
  if (options.tty && ::isatty(STDIN_FILENO) == 0)
    return base::fail(base::Code::kInvalidArgument, "-t needs a terminal, and standard input is none: leave it out");
  start.set_tty(options.tty);
  start.set_stdin(options.interactive);
  if (options.tty) *start.mutable_size() = terminal_size();
  start.set_user(options.user);
  start.set_working_dir(options.working_dir);
  for (const auto& entry : options.environment) {
    auto* variable = start.add_environment();
    variable->set_name(entry.substr(0, entry.find('=')));
    if (entry.find('=') != std::string::npos) variable->set_value(entry.substr(entry.find('=') + 1));
  }
  return input;
}

}  // namespace

int run_exec(Context& context, const ExecOptions& options) {
  auto start = make_start(context, options);
  if (!start) return context.refuse(start.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  std::optional<RawTerminal> raw;
  if (options.tty) raw.emplace();
  auto code = context.run(run_session(*api, std::move(*start)));
  raw.reset();
  return code ? *code : context.fail(code.error());
}

}  // namespace orchion::cli
