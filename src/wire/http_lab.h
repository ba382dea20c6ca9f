#pragma once

// For this folder's tests: an HTTP server with a handler for every way to answer, and a client of it.

#include <future>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/notifier.h"
#include "wire/http_client.h"
#include "wire/http_server.h"
#include "wire/testing.h"

namespace orchion::wire {

constexpr base::Duration kLimit = std::chrono::seconds(10);

// Set when a handler's frame is destroyed.
struct FrameEnd {
  std::shared_ptr<std::promise<void>> promise;
  ~FrameEnd() { promise->set_value(); }
};

// A handler for every way to answer.
struct HttpHandlers {
  base::Executor executor;
  std::shared_ptr<std::promise<void>> endless_ended = std::make_shared<std::promise<void>>();
  std::shared_ptr<std::promise<void>> endless_begun = std::make_shared<std::promise<void>>();
  std::shared_ptr<base::Notifier> never;

  base::Co<> serve(std::shared_ptr<Exchange> exchange) {
    const auto& target = exchange->request().target;
    if (target == "/hello") co_return co_await answer(exchange, 200, "hello " + exchange->request().peer);
    if (target == "/echo") co_return co_await echo(exchange);
    if (target == "/stream") co_return co_await stream(exchange);
    if (target == "/endless") co_return co_await endless(exchange);
    if (target == "/hang") co_return co_await hang(exchange);
    if (target == "/cut") co_return co_await cut(exchange);
    if (target == "/ws") co_return co_await websocket(exchange);
    if (target == "/throw") throw std::runtime_error("oops");
    if (target == "/nothing") co_return base::Result<>{};
    co_return co_await answer(exchange, 404, "");
  }

  // g++ 12 destroys twice what is built by braces inside a co_await expression: responses are named.
  static base::Co<> answer(std::shared_ptr<Exchange> exchange, int status, std::string body) {
    Response response{status, {}, std::move(body)};
    co_return co_await exchange->respond(std::move(response));
  }

  base::Co<> echo(std::shared_ptr<Exchange> exchange) {
    CO_ASSIGN_OR_RETURN(auto body, co_await read_whole(exchange->body(), 32u << 20));
    co_return co_await answer(exchange, 200, std::move(body));
  }

  base::Co<> stream(std::shared_ptr<Exchange> exchange) {
    Headers headers;
    headers.add("Content-Type", "text/plain");
    CO_ASSIGN_OR_RETURN(auto writer, co_await exchange->begin(200, headers));
    while (true) {
      CO_ASSIGN_OR_RETURN(auto piece, co_await exchange->body().read());
      if (!piece) break;
      CO_RETURN_IF_ERROR(co_await writer->write(*piece));
    }
    CO_RETURN_IF_ERROR(co_await writer->write(""));
    co_return co_await writer->end();
  }

  base::Co<> endless(std::shared_ptr<Exchange> exchange) {
    const FrameEnd ended{endless_ended};
    CO_ASSIGN_OR_RETURN(auto writer, co_await exchange->begin(200, {}));
    CO_RETURN_IF_ERROR(co_await writer->write("begun\n"));
    co_return co_await never->wait();
  }

  base::Co<> hang(std::shared_ptr<Exchange>) {
    const FrameEnd ended{endless_ended};
    endless_begun->set_value();
    co_return co_await never->wait();
  }

  base::Co<> cut(std::shared_ptr<Exchange> exchange) {
    CO_ASSIGN_OR_RETURN(auto writer, co_await exchange->begin(200, {}));
    co_return co_await writer->write("a part");
  }

  base::Co<> websocket(std::shared_ptr<Exchange> exchange) {
    if (!exchange->wants_websocket()) co_return co_await answer(exchange, 400, "a WebSocket only");
    CO_ASSIGN_OR_RETURN(auto socket, co_await exchange->upgrade());
    while (true) {
      CO_ASSIGN_OR_RETURN(auto message, co_await socket->receive());
      if (!message) co_return base::Result<>{};
      if (message->data == "fail") {
        base::Error error{base::Code::kNotFound, "no such thing", {}};
        co_return co_await socket->close(std::move(error));
      }
      if (message->data == "bye") co_return co_await socket->close();
      CO_RETURN_IF_ERROR(co_await socket->send(std::move(*message)));
    }
  }
};

class HttpLab : public ::testing::Test {
 protected:
  void start(HttpServerOptions options = {}) {
    handlers_ = std::make_shared<HttpHandlers>(HttpHandlers{loop_.executor()});
    handlers_->never = std::make_shared<base::Notifier>(loop_.executor());
    loop_.run(start_on_loop(options));
  }
  boost::asio::awaitable<void> start_on_loop(HttpServerOptions options) {
    server_ = std::make_unique<HttpServer>(
        loop_.executor(), [handlers = handlers_](std::shared_ptr<Exchange> e) { return handlers->serve(e); }, options);
    port_ = server_->listen_tcp("127.0.0.1", 0).value();
    client_ = std::make_unique<HttpClient>(loop_.executor(), Endpoint{Transport::kTcp, "127.0.0.1", port_});
    co_return;
  }
  void TearDown() override {
    if (server_) stop(base::Duration::zero());
    if (server_) loop_.run(end());
  }
  boost::asio::awaitable<void> end() {
    client_.reset();
    server_.reset();
    handlers_.reset();
    co_return;
  }
  void stop(base::Duration grace) { EXPECT_TRUE(loop_.run(server_->shutdown(grace))); }

  struct Answer {
    int status = 0;
    std::string body;
    Headers headers;
  };
  static base::Co<Answer> fetch(HttpClient* client, ClientRequest request, base::Duration limit) {
    CO_ASSIGN_OR_RETURN(auto response, co_await client->send(std::move(request), limit));
    CO_ASSIGN_OR_RETURN(auto body, co_await read_whole(*response.body, 64u << 20));
    co_return Answer{response.status, std::move(body), std::move(response.headers)};
  }
  base::Result<Answer> get(ClientRequest request, base::Duration limit = kLimit) {
    return loop_.run(fetch(client_.get(), std::move(request), limit));
  }

  testing::LoopThread loop_;
  std::shared_ptr<HttpHandlers> handlers_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
  std::uint16_t port_ = 0;
};

}  // namespace orchion::wire
