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

// One endpoint; keeps idle connections for reuse. One executor. An idle connection that turns out to be closed
// is replaced once, silently, where the request is safe to repeat.
class HttpClient {
 public:
  HttpClient(base::Executor executor, Endpoint endpoint);
  ~HttpClient();

  // Returns when the head of the response is there. `limit` bounds that; the body's reads are bounded by it
  // each too, unless the response is an event stream. kUnavailable: nobody answers there.
  base::Co<ClientResponse> send(ClientRequest request, base::Duration limit);

  base::Co<std::unique_ptr<WebSocket>> websocket(std::string target, Headers headers, base::Duration limit);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace orchion::wire
