#pragma once

// The server's side of one connection. Private to this folder.

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/cancellation_signal.hpp>

#include "base/clock.h"
#include "wire/http_server.h"
#include "wire/message_parser.h"
#include "wire/socket_io.h"

namespace orchion::wire {

class ServerExchange;

// Reads requests one after another and runs the handler for each. One executor. Its coroutine is run() and must
// be spawned with signal()'s slot; all else may be called meanwhile.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket socket, Transport transport, std::string peer, const Handler& handler,
             const HttpServerOptions& options);

  boost::asio::awaitable<void> run();
  boost::asio::cancellation_signal& signal() { return signal_; }

  // Breaks off what took too long; looks whether the client of a long handler is still there.
  void check(base::Time now);

  // Ends after the running exchange, or now where there is none.
  void stop_when_idle();

  // Closes; the handler goes on until it notices.
  void drop();

  // Closes and cancels the handler.
  void abort();

 private:
  friend class ServerExchange;
  friend class ChunkWriter;

  enum class Phase { kIdle, kHead, kHandler, kClosing };

  base::Co<> serve_requests();
  base::Co<> read_head();
  base::Co<> handle(std::shared_ptr<ServerExchange> exchange);
  base::Co<> finish_request();
  base::Co<> linger();
  base::Co<> refuse(base::Error error);

  base::Co<std::optional<std::string>> read_body();
  base::Co<> write(Pieces pieces);
  base::Co<> write_response(const Response& response);
  base::Co<> write_stream_head(int status, const Headers& headers);

  void set_deadline(base::Duration limit) { deadline_ = std::chrono::steady_clock::now() + limit; }
  void clear_deadline() { deadline_ = base::Time::max(); }
  void watch();
  void end_watch();

  Socket socket_;
  const Transport transport_;
  const std::string peer_;
  const Handler& handler_;
  const HttpServerOptions& options_;
  Inbox inbox_;
  std::unique_ptr<MessageParser> parser_;
  Phase phase_ = Phase::kIdle;
  base::Time deadline_ = base::Time::max();
  bool keep_alive_ = true;
  bool stopping_ = false;
  bool continue_wanted_ = false;  // the client waits for "100 Continue" before it sends the body
  bool chunked_ = false;          // how the streaming response is framed
  bool parser_moves_ = true;      // it took something of what it was last given
  bool head_only_ = false;        // the request is HEAD
  bool watching_ = false;
  std::uint64_t watch_round_ = 0;
  boost::asio::cancellation_signal signal_;
  boost::asio::cancellation_signal watch_signal_;
};

}  // namespace orchion::wire
