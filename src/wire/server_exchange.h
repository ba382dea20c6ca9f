#pragma once

// One request on a server's connection. Private to this folder.

#include "wire/http_connection.h"

namespace orchion::wire {

// May outlive its connection in the hands of a handler; then every call fails.
class ServerExchange final : public Exchange, public BodyReader, public std::enable_shared_from_this<ServerExchange> {
 public:
  enum class Answered { kNot, kPart, kWhole };

  ServerExchange(Connection& connection, Request request);

  const Request& request() const override { return request_; }
  BodyReader& body() override { return *this; }
  base::Co<> respond(Response response) override;
  base::Co<std::unique_ptr<BodyWriter>> begin(int status, Headers headers) override;
  bool wants_websocket() const override;
  base::Co<std::unique_ptr<WebSocket>> upgrade() override;
  base::Co<std::optional<std::string>> read() override;

  // The handler has returned: what did the client get?
  Answered end();

 private:
  friend class ChunkWriter;
  base::Result<> claim();
  base::Co<> write_chunk(std::string piece);
  base::Co<> write_last();

  std::shared_ptr<Connection> connection_;
  Request request_;
  bool claimed_ = false;  // one of the ways to answer was chosen
  bool whole_ = false;
  bool ended_ = false;
};

}  // namespace orchion::wire
