// `orchion port-forward`: connections to ports of this machine, each carried to a task by a stream of its own.

#include <array>
#include <charconv>
#include <iostream>

#include <fmt/core.h>
#include <google/protobuf/util/json_util.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/notifier.h"
#include "base/task_group.h"
#include "cli/commands.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Api = std::shared_ptr<client::ApiClient>;
using Frames = client::ApiClient::Frames;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPieceBytes = 64u << 10;
constexpr int kBacklog = 128;

struct PortPair {
  std::uint16_t local = 0;
  std::uint16_t remote = 0;
};

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port;
}

// Of text that check_forwarding() has passed.
PortPair parse_pair(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {parse_port(text), parse_port(text)};
  return {parse_port(text.substr(0, colon)), parse_port(text.substr(colon + 1))};
}

// A task of the service that runs, the lowest slot's; what the user named where that is one task.
base::Co<std::string> find_task(Api api, core::Address what) {
  if (what.slot != 0) {
    v1::GetTaskRequest request;
    request.set_stack(what.stack);
    request.set_name(task_reference(what));
    CO_RETURN_IF_ERROR(co_await api->call<v1::Task>("orchion.v1.TaskService.GetTask", request));
    co_return task_reference(what);
  }
  v1::ListTasksRequest request;
  request.set_stack(what.stack);
  request.set_service(what.service);
  CO_ASSIGN_OR_RETURN(const auto tasks,
                      co_await api->call<v1::ListTasksResponse>("orchion.v1.TaskService.ListTasks", request));
  std::uint32_t best = 0;
  for (const auto& task : tasks.tasks()) {
    if (task.status().state() != v1::RUNNING || task.spec().desired_state() != v1::DESIRED_RUNNING) continue;
    if (best == 0 || task.spec().slot() < best) best = task.spec().slot();
  }
  const auto name = core::format_address(what);
  if (tasks.tasks().empty())
    co_return base::fail(base::Code::kNotFound,
                         fmt::format("{} has no task: see `orchion ps --stack {}`", name, what.stack));
  if (best == 0)
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("no task of {} is running: see `orchion ps --stack {}`", name, what.stack));
  co_return core::slot_name(what.service, best);
}

base::Co<> send_text(wire::WebSocket* socket, v1::ForwardInput input) {
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(input, &json);
  if (!printed.ok()) co_return base::fail(base::Code::kInternal, "cannot write a message to the server");
  wire::WebSocket::Message message{std::move(json), false};
  co_return co_await socket->send(std::move(message));
}

base::Co<wire::WebSocket::Message> next_message(wire::WebSocket* socket) {
  CO_ASSIGN_OR_RETURN(auto message, co_await socket->receive());
  if (!message) co_return base::fail(base::Code::kUnavailable, "the server ended the connection");
  co_return std::move(*message);
}

// One accepted connection.
struct Carried {
  explicit Carried(tcp::socket accepted) : client(std::move(accepted)) {}
  tcp::socket client;
  std::unique_ptr<wire::WebSocket> server;
  bool client_ended = false;
  bool server_ended = false;
};

base::Co<> carry_to_task(std::shared_ptr<Carried> carried) {
  while (!carried->client_ended) {
    std::string piece(kPieceBytes, '\0');
    const auto [error, n] = co_await carried->client.async_read_some(asio::buffer(piece), kAwait);
    // Who broke off wants nothing more.
    if (error && error != asio::error::eof) co_return base::Result<>{};
    piece.resize(n);
    if (error) {
      carried->client_ended = true;
      v1::ForwardInput end;
      end.set_end(true);
      CO_RETURN_IF_ERROR(co_await send_text(carried->server.get(), std::move(end)));
    } else {
      wire::WebSocket::Message message{std::move(piece), true};
      CO_RETURN_IF_ERROR(co_await carried->server->send(std::move(message)));
    }
  }
  if (!carried->server_ended) CO_RETURN_IF_ERROR(co_await base::wait_for_ever());
  co_return base::Result<>{};
}

base::Co<> carry_to_client(std::shared_ptr<Carried> carried) {
  while (!carried->server_ended) {
    CO_ASSIGN_OR_RETURN(auto message, co_await next_message(carried->server.get()));
    if (message.binary) {
      const auto [error, n] = co_await asio::async_write(carried->client, asio::buffer(message.data), kAwait);
      if (error) co_return base::Result<>{};
      continue;
    }
    v1::ForwardOutput output;
    CO_RETURN_IF_ERROR(client::parse_json(message.data, output));
    carried->server_ended = output.end();
  }
  boost::system::error_code ignored;
  carried->client.shutdown(tcp::socket::shutdown_send, ignored);
  if (!carried->client_ended) CO_RETURN_IF_ERROR(co_await base::wait_for_ever());
  co_return base::Result<>{};
}

// What all connections of one command share.
struct Forwarding {
  Forwarding(Context& of, Api with, core::Address to)
      : context(of), api(std::move(with)), what(std::move(to)), connections(of.io().get_executor()) {}
  Context& context;
  const Api api;
  const core::Address what;
  base::TaskGroup connections;
};

base::Co<> carry(Forwarding* forwarding, std::shared_ptr<Carried> carried, std::uint16_t port) {
  CO_ASSIGN_OR_RETURN(const auto task, co_await find_task(forwarding->api, forwarding->what));
  CO_ASSIGN_OR_RETURN(carried->server,
                      co_await forwarding->api->open_socket("orchion.v1.TaskService.Forward", Frames::kBinary));
  v1::ForwardInput first;
  first.mutable_start()->set_stack(forwarding->what.stack);
  first.mutable_start()->set_task(task);
  first.mutable_start()->set_port(port);
  CO_RETURN_IF_ERROR(co_await send_text(carried->server.get(), std::move(first)));
  CO_RETURN_IF_ERROR(co_await next_message(carried->server.get()));
  using asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (carry_to_task(carried) || carry_to_client(carried));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

// Nobody else hears of an error of one connection: the next may go well.
base::Co<> serve(Forwarding* forwarding, std::shared_ptr<Carried> carried, PortPair ports) {
  const auto done = co_await carry(forwarding, carried, ports.remote);
  if (!done && done.error().code != base::Code::kCancelled)
    forwarding->context.say(
        fmt::format("orchion: a connection to port {} was closed: {}", ports.local, done.error().message));
  co_return base::Result<>{};
}

base::Co<> accept_all(Forwarding* forwarding, std::shared_ptr<tcp::acceptor> acceptor, PortPair ports) {
  while (true) {
    auto [error, client] = co_await acceptor->async_accept(kAwait);
    if (error == asio::error::operation_aborted) co_return base::fail(base::Code::kCancelled, "interrupted");
    if (error) co_return base::fail_errno(error.value(), "cannot accept connections");
    boost::system::error_code ignored;
    client.set_option(tcp::no_delay(true), ignored);
    forwarding->connections.spawn("a connection",
                                  serve(forwarding, std::make_shared<Carried>(std::move(client)), ports));
  }
}

base::Result<std::shared_ptr<tcp::acceptor>> listen(Context& context, const tcp::endpoint& endpoint) {
  auto acceptor = std::make_shared<tcp::acceptor>(context.io());
  boost::system::error_code error;
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(kBacklog, error);
  if (error)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("cannot listen on {}:{} ({}): say another port before the colon, or 0 for any",
                                  endpoint.address().to_string(), endpoint.port(), error.message()));
  return acceptor;
}

base::Result<> listen_on_all(Forwarding& forwarding, const PortForwardOptions& options) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(options.address == "localhost" ? "127.0.0.1" : options.address, error);
  if (error)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("`{}` is no address of this machine: write one like 127.0.0.1", options.address));
  std::vector<std::pair<std::shared_ptr<tcp::acceptor>, PortPair>> all;
  for (const auto& text : options.ports) {
    auto ports = parse_pair(text);
    ASSIGN_OR_RETURN(auto acceptor, listen(forwarding.context, {address, ports.local}));
    ports.local = acceptor->local_endpoint().port();
    all.emplace_back(std::move(acceptor), ports);
  }
  for (const auto& [acceptor, ports] : all) {
    std::cout << fmt::format("{}:{} → {}:{}\n", address.is_v6() ? "[" + address.to_string() + "]" : address.to_string(),
                             ports.local, core::format_address(forwarding.what), ports.remote)
              << std::flush;
    forwarding.connections.spawn("listening", accept_all(&forwarding, acceptor, ports));
  }
  return {};
}

// Until Ctrl-C, which ends all connections.
base::Co<> forward_all(Forwarding* forwarding, PortForwardOptions options) {
  CO_RETURN_IF_ERROR(co_await find_task(forwarding->api, forwarding->what));
  CO_RETURN_IF_ERROR(listen_on_all(*forwarding, options));
  // The end of this is the end of a wait like any other, so that the connections can be waited for.
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto interrupted = co_await base::wait_for_ever();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  CO_RETURN_IF_ERROR(co_await forwarding->connections.shutdown());
  co_return interrupted;
}

}  // namespace

int run_port_forward(Context& context, const PortForwardOptions& options) {
  const auto what = find_address(context, options.what);
  if (!what) return context.refuse(what.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  Forwarding forwarding(context, *api, *what);
  const auto done = context.run(forward_all(&forwarding, options));
  return done ? int{kExitOk} : context.refuse(done.error());
}

}  // namespace orchion::cli
