#pragma once

// The contract over HTTP.

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/serving/answer_cache.h"
#include "control/serving/control_call.h"
#include "control/serving/json_printer.h"
#include "control/serving/route_table.h"
#include "wire/http.h"

namespace orchion::control::serving {

struct RestOptions {
  std::vector<std::string> allowed_hosts;                // beside loopback, in lower case
  std::size_t body_bytes_max = 8u << 20;                 // of JSON; uploads are streamed and have no bound here
  base::Duration keep_alive = std::chrono::seconds(15);  // between comments on a silent stream
  // What /readyz answers; called on the HTTP executor, so it must be thread-safe.
  std::function<base::Result<>()> ready = [] { return base::Result<>(); };
  std::string version;  // for /openapi.json
};

// Routes requests to handlers: JSON is read and written here, on the HTTP executor; the handlers run on the control
// executor. One executor; `calls` and `methods` must outlive it.
class RestFront {
 public:
  RestFront(ControlCalls& calls, const core::MethodTable& methods, RestOptions options);

  // For wire::HttpServer.
  base::Co<> handle(std::shared_ptr<wire::Exchange> exchange);

  const RouteTable& routes() const { return routes_; }

 private:
  using ExchangePtr = std::shared_ptr<wire::Exchange>;

  base::Co<> respond_page(ExchangePtr exchange, std::string path);
  base::Co<> route(ExchangePtr exchange, wire::Target target);
  base::Co<> serve(ExchangePtr exchange, RouteMatch match, wire::Target target);
  base::Co<> unary(ExchangePtr exchange, RouteMatch match, wire::Target target);
  base::Co<> events(ExchangePtr exchange, RouteMatch match, wire::Target target);
  base::Co<> download(ExchangePtr exchange, RouteMatch match, wire::Target target);
  base::Co<> upload(ExchangePtr exchange, RouteMatch match, wire::Target target);
  base::Co<> websocket(ExchangePtr exchange, RouteMatch match, wire::Target target);

  // A call whose first request is in the route's parameters and the query, and was sent.
  base::Co<std::unique_ptr<ControlCall>> begin_call(ExchangePtr exchange, RouteMatch match, wire::Target target);
  void append_event(const Reply& reply, std::string& out);
  base::Co<> send_events(ExchangePtr exchange, std::unique_ptr<ControlCall> call);
  base::Co<> pump_requests(wire::WebSocket* socket, ControlCall* call, const core::Method* method);
  base::Co<> pump_responses(wire::WebSocket* socket, ControlCall* call, bool binary);

  base::Co<> respond_message(ExchangePtr exchange, core::MessagePtr message);
  base::Co<> respond_error(ExchangePtr exchange, base::Error error);

  ControlCalls& calls_;
  RouteTable routes_;
  RestOptions options_;
  JsonPrinter printer_;
  AnswerCache answers_;
  std::string openapi_;  // empty until somebody asks for it
};

}  // namespace orchion::control::serving
