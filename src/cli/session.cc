#include "cli/session.h"

#include <poll.h>

#include <array>
#include <cerrno>

#include <google/protobuf/util/json_util.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/channel.h"
#include "base/file.h"
#include "cli/terminal.h"

namespace orchion::cli {

namespace {

using boost::asio::experimental::awaitable_operators::operator||;
template <class Input>
using InputsPtr = std::shared_ptr<base::Channel<Input>>;

const char* method_of(const v1::ExecInput&) {
  return "orchion.v1.TaskService.Exec";
}

const char* method_of(const v1::AttachInput&) {
  return "orchion.v1.TaskService.Attach";
}

base::Co<> send_message(wire::WebSocket* socket, std::shared_ptr<const google::protobuf::Message> input) {
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(*input, &json);
  if (!printed.ok()) co_return base::fail(base::Code::kInternal, "cannot write a message to the server");
  wire::WebSocket::Message message{std::move(json), false};
  co_return co_await socket->send(std::move(message));
}

// Everything that is sent goes through one queue: a WebSocket has one writer.
template <class Input>
base::Co<> send_inputs(wire::WebSocket* socket, InputsPtr<Input> inputs) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto input, co_await inputs->receive());
    if (!input) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await send_message(socket, std::make_shared<Input>(std::move(*input))));
  }
}

// Returns when the keys were typed. Files can't be waited for with epoll, and are always ready: they are read as they
// are.
template <class Input>
base::Co<bool> read_input(InputsPtr<Input> inputs, DetachKeys keys) {
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
    bool left = false;
    Input message;
    if (n == 0) {
      message.set_end(true);
    } else {
      message.set_data(keys.take({buffer.data(), n}, left));
    }
    if (n == 0 || !message.data().empty()) CO_RETURN_IF_ERROR(co_await inputs->send(std::move(message)));
    if (left) co_return true;
    if (n == 0) break;
  }
  CO_RETURN_IF_ERROR(co_await base::wait_for_ever());
  co_return false;
}

template <class Input>
base::Co<> watch_size(InputsPtr<Input> inputs) {
  boost::asio::signal_set changed(co_await boost::asio::this_coro::executor, SIGWINCH);
  while (true) {
    auto [error, number] = co_await changed.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) co_return base::fail(base::Code::kCancelled, "interrupted");
    Input message;
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

base::Result<SessionEnd> to_end(base::Result<int> code) {
  if (!code) return std::unexpected(std::move(code).error());
  return SessionEnd{.exit_code = *code};
}

base::Co<bool> never() {
  CO_RETURN_IF_ERROR(co_await base::wait_for_ever());
  co_return false;
}

}  // namespace

template <class Input>
base::Co<SessionEnd> run_session(std::shared_ptr<client::ApiClient> api, Input start, SessionOptions options) {
  CO_ASSIGN_OR_RETURN(auto socket, co_await api->open_socket(method_of(start)));
  auto inputs = std::make_shared<base::Channel<Input>>(co_await boost::asio::this_coro::executor, 16);
  CO_RETURN_IF_ERROR(co_await inputs->send(std::move(start)));
  auto reading = options.input ? read_input<Input>(inputs, options.keys) : never();
  auto resizing = options.tty ? watch_size<Input>(inputs) : base::wait_for_ever();
  auto ended = co_await (read_outputs(socket.get()) || std::move(reading) || send_inputs<Input>(socket.get(), inputs) ||
                         std::move(resizing));
  if (ended.index() == 1 && std::get<1>(ended).value_or(false)) co_return SessionEnd{.detached = true};
  if (ended.index() == 0) co_return to_end(std::get<0>(std::move(ended)));
  // Something failed while it ran; what the server said about it says more.
  co_return to_end(co_await read_outputs(socket.get()));
}

template base::Co<SessionEnd> run_session(std::shared_ptr<client::ApiClient>, v1::ExecInput, SessionOptions);
template base::Co<SessionEnd> run_session(std::shared_ptr<client::ApiClient>, v1::AttachInput, SessionOptions);

base::Result<> check_terminal() {
  if (::isatty(STDIN_FILENO) != 0) return {};
  return base::fail(base::Code::kInvalidArgument, "-t needs a terminal, and standard input is none: leave it out");
}

}  // namespace orchion::cli
