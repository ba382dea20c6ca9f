#pragma once

#include "base/clock.h"
#include "wire/http.h"

namespace orchion::wire {

// "http://127.0.0.1:4600", or "unix:/path/to/socket".
struct Endpoint {
  Transport transport = Transport::kTcp;
  std::string host;  // the socket's path where transport is kUnix
  std::uint16_t port = 0;

  static base::Result<Endpoint> parse(std::string_view text);
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::unique_ptr<BodyReader> body;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  Headers headers;
  std::string body;
  std::shared_ptr<BodyReader> streamed_body;  // instead of `body`; sent chunked
};

// The bytes of a connection that is no longer HTTP. Destroying it closes it. One reader and one writer at a time.
class RawStream {
 public:
  virtual ~RawStream() = default;

  // nullopt: the peer ended its half. Never an empty piece.
  virtual base::Co<std::optional<std::string>> read() = 0;

  // Returns when the kernel has it all.
  virtual base::Co<> write(std::string bytes) = 0;

  // Ends this half; reading goes on.
  virtual void end() = 0;
};

// What a request for an upgrade came to: the stream where the server switched (101), else its answer.
struct Upgrade {
  ClientResponse response;
  std::unique_ptr<RawStream> stream;
};

// One endpoint; keeps idle connections for reuse. One executor. An idle connection that turns out to be closed
// is replaced once, silently, where the request is safe to repeat.
class HttpClient {
 public:
  HttpClient(base::Executor executor, Endpoint endpoint);
  ~HttpClient();

  // Returns when the head of the response is there. `limit` bounds that; the body's reads are bounded by it
  // each too, unless the response is an event stream. kUnavailable: nobody answers there.
  base::Co<ClientResponse> send(ClientRequest request, base::Duration limit);

  // Asks to go on with `protocol` ("tcp") on this connection. `limit` bounds the answer; the stream has no bound.
  base::Co<Upgrade> upgrade(ClientRequest request, std::string protocol, base::Duration limit);

  base::Co<std::unique_ptr<WebSocket>> websocket(std::string target, Headers headers, base::Duration limit);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::wire
