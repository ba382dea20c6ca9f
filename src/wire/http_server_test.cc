#include "wire/http_server.h"

#include <sys/stat.h>

#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/notifier.h"
#include "wire/http_client.h"
#include "wire/testing.h"

namespace orchion::wire {
namespace {

using ::testing::HasSubstr;
using testing::LoopThread;
using testing::RawClient;
using ::testing::StartsWith;
using testing::TempFolder;
using namespace std::chrono_literals;

constexpr base::Duration kLimit = 10s;

// Set when a handler's frame is destroyed.
struct Ended {
  std::shared_ptr<std::promise<void>> promise;
  ~Ended() { promise->set_value(); }
};

// A handler for every way to answer.
struct Handlers {
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
    const Ended ended{endless_ended};
    CO_ASSIGN_OR_RETURN(auto writer, co_await exchange->begin(200, {}));
    CO_RETURN_IF_ERROR(co_await writer->write("begun\n"));
    co_return co_await never->wait();
  }

  base::Co<> hang(std::shared_ptr<Exchange>) {
    const Ended ended{endless_ended};
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

class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpServerOptions options = {}) {
    handlers_ = std::make_shared<Handlers>(Handlers{loop_.executor()});
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
    if (server_) stop(0s);
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

  LoopThread loop_;
  std::shared_ptr<Handlers> handlers_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
  std::uint16_t port_ = 0;
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  start();
  const auto first = get({"GET", "/hello"});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 200);
  EXPECT_THAT(first->body, StartsWith("hello 127.0.0.1:"));
  EXPECT_EQ(get({"GET", "/hello"})->body, first->body) << "the same port: the same connection";
  EXPECT_EQ(get({"GET", "/none"})->status, 404);
  EXPECT_EQ(get({"HEAD", "/hello"})->body, "");
  EXPECT_EQ(get({"GET", "/hello"})->body, first->body);
}

TEST_F(HttpServerTest, LargeBodiesBothWays) {
  start();
  const std::string large(5'000'000, 'x');
  const auto answer = get({"POST", "/echo", {}, large});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, large);
}

// `count` pieces of a megabyte.
class Pieces : public BodyReader {
 public:
  explicit Pieces(int count) : left_(count) {}
  base::Co<std::optional<std::string>> read() override {
    if (left_-- == 0) co_return std::optional<std::string>();
    co_return std::optional<std::string>(std::string(1u << 20, static_cast<char>('a' + left_)));
  }

 private:
  int left_;
};

TEST_F(HttpServerTest, StreamedBodies) {
  start();
  const auto answer = get({"POST", "/echo", {}, "", std::make_shared<Pieces>(20)});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body.size(), 20u << 20);
  EXPECT_EQ(answer->body.back(), 'a');
  const auto streamed = get({"POST", "/stream", {}, "some text"});
  ASSERT_TRUE(streamed);
  EXPECT_EQ(streamed->body, "some text");
  EXPECT_EQ(streamed->headers.find("transfer-encoding"), "chunked");
}

TEST_F(HttpServerTest, AnswerBeforeTheBodyWasReadKeepsItsMeaning) {
  start();
  const auto answer = get({"POST", "/hello", {}, "", std::make_shared<Pieces>(20)});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  // What was half sent must not be continued by the next request.
  const auto next = get({"POST", "/none", {}, std::string(100'000, 'x')});
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ(next->status, 404);
  EXPECT_EQ(get({"GET", "/hello"})->status, 200);
}

TEST_F(HttpServerTest, Pipelining) {
  start();
  RawClient raw(port_);
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n" + std::to_string(10 + i);
  raw.send(all);
  for (int i = 0; i < 50; ++i) {
    const auto end = "\r\n\r\n" + std::to_string(10 + i);
    EXPECT_THAT(raw.read_until(end), HasSubstr(end));
  }
}

TEST_F(HttpServerTest, ExpectContinue) {
  start();
  RawClient raw(port_);
  raw.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(raw.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  raw.send("abc");
  EXPECT_THAT(raw.read_until("abc"), StartsWith("HTTP/1.1 200 OK"));

  raw.send("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  const auto refused = raw.read_all();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(refused, HasSubstr("Connection: close"));
}

TEST_F(HttpServerTest, Http10GetsNoChunks) {
  start();
  RawClient raw(port_);
  raw.send("POST /stream HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
  const auto answer = raw.read_all();
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\nabc"));
  EXPECT_THAT(answer, ::testing::Not(HasSubstr("chunked")));
}

TEST_F(HttpServerTest, RubbishAndOversizeHeadersAreRefused) {
  start();
  RawClient rubbish(port_);
  rubbish.send("\x16\x03\x01 hello\r\n\r\n");
  EXPECT_THAT(rubbish.read_all(), StartsWith("HTTP/1.1 400"));

  RawClient oversize(port_);
  oversize.send("GET / HTTP/1.1\r\nHost: a\r\nA: " + std::string(70'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(oversize.read_all(), StartsWith("HTTP/1.1 431"));

  RawClient many(port_);
  std::string headers = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 9000; ++i) headers += "A: bcd\r\n";
  many.send(headers);
  EXPECT_THAT(many.read_all(), StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpServerTest, BrokenChunkingEndsTheConnection) {
  start();
  RawClient raw(port_);
  raw.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n");
  EXPECT_THAT(raw.read_all(), StartsWith("HTTP/1.1 400"));
  RawClient later(port_);
  later.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  later.read_until("100 Continue\r\n\r\n");
  later.send("3\r\nabc\r\nzz\r\n");
  EXPECT_THAT(later.read_all(), StartsWith("HTTP/1.1 500"));
  EXPECT_EQ(get({"GET", "/hello"})->status, 200);
}

TEST_F(HttpServerTest, SlowLorisIsCutOff) {
  HttpServerOptions options;
  options.header_limit = 200ms;
  start(options);
  RawClient raw(port_);
  raw.send("GET /hello HTTP/1.1\r\nHost:");
  EXPECT_EQ(raw.read_all(), "");
}

TEST_F(HttpServerTest, IdleAndStalledConnectionsAreCutOff) {
  HttpServerOptions options;
  options.idle_limit = 200ms;
  options.stall_limit = 200ms;
  start(options);
  RawClient idle(port_);
  EXPECT_EQ(idle.read_all(), "");
  RawClient stalled(port_);
  stalled.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(stalled.read_all(), "");
}

TEST_F(HttpServerTest, ConnectionsAreBounded) {
  HttpServerOptions options;
  options.connections_max = 2;
  start(options);
  RawClient first(port_);
  RawClient second(port_);
  const std::string request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
  first.send(request);
  second.send(request);
  EXPECT_THAT(first.read_until("hello"), HasSubstr("200"));
  EXPECT_THAT(second.read_until("hello"), HasSubstr("200"));
  RawClient third(port_);
  third.send(request);
  first.close();
  EXPECT_THAT(third.read_until("hello"), HasSubstr("200"));
}

TEST_F(HttpServerTest, HandlerOfAStreamEndsWhenTheClientGoes) {
  start();
  RawClient raw(port_);
  raw.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  raw.read_until("begun\n");
  raw.close();
  EXPECT_EQ(handlers_->endless_ended->get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(HttpServerTest, SilentHandlerEndsWhenTheClientGoes) {
  HttpServerOptions options;
  options.stall_limit = 100ms;  // a silent handler is looked after four times in this
  start(options);
  RawClient raw(port_);
  raw.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
  handlers_->endless_begun->get_future().wait();
  raw.close();
  EXPECT_EQ(handlers_->endless_ended->get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(HttpServerTest, StreamThatIsNotEndedBreaks) {
  start();
  const auto answer = get({"GET", "/cut"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, base::Code::kUnavailable);
}

TEST_F(HttpServerTest, HandlersThatFailGiveABare500) {
  start();
  EXPECT_EQ(get({"GET", "/throw"})->status, 500);
  EXPECT_EQ(get({"GET", "/nothing"})->status, 500);
  EXPECT_EQ(get({"GET", "/hello"})->status, 200);
}

TEST_F(HttpServerTest, ShutdownGivesGraceThenCancels) {
  start();
  RawClient idle(port_);
  idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(idle.read_until("hello"), HasSubstr("200"));
  RawClient raw(port_);
  raw.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  raw.read_until("begun\n");
  stop(50ms);
  EXPECT_EQ(handlers_->endless_ended->get_future().wait_for(0s), std::future_status::ready);
  EXPECT_FALSE(RawClient(port_).connected());
}

TEST_F(HttpServerTest, PortThatIsTaken) {
  start();
  const auto second = server_->listen_tcp("127.0.0.1", port_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::Code::kFailedPrecondition);
  EXPECT_FALSE(server_->listen_tcp("nowhere", 0));
  EXPECT_FALSE(server_->listen_tcp("192.0.2.1", 0));
}

TEST_F(HttpServerTest, UnixSocket) {
  start();
  const TempFolder folder;
  const auto path = folder / "s.sock";
  ASSERT_TRUE(server_->listen_unix(path));
  struct stat status;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  client_ = std::make_unique<HttpClient>(loop_.executor(), Endpoint{Transport::kUnix, path});
  EXPECT_EQ(get({"GET", "/hello"})->body, "hello uid " + std::to_string(::getuid()));

  HttpServer other(loop_.executor(), {});
  const auto taken = other.listen_unix(path);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, base::Code::kFailedPrecondition);
  stop(0s);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(HttpServerTest, StaleSocketIsReplacedAnythingElseIsNot) {
  start();
  const TempFolder folder;
  const auto path = folder / "s.sock";
  {
    const base::UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_TRUE(server_->listen_unix(path));
  const auto file = folder / "file";
  ASSERT_TRUE(base::write_file(file, "precious"));
  EXPECT_FALSE(server_->listen_unix(file));
  EXPECT_EQ(base::read_file(file), "precious");
  EXPECT_FALSE(server_->listen_unix(folder / std::string(120, 'x')));
}

TEST_F(HttpServerTest, NobodyAnswers) {
  start();
  stop(0s);
  const auto refused = get({"GET", "/hello"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::kUnavailable);
  client_ = std::make_unique<HttpClient>(loop_.executor(), Endpoint{Transport::kUnix, "/nonexistent/x.sock"});
  EXPECT_EQ(get({"GET", "/"}).error().code, base::Code::kUnavailable);
}

TEST_F(HttpServerTest, ClientsLimitHolds) {
  HttpServerOptions options;
  options.stall_limit = 100ms;
  start(options);
  const auto late = get({"GET", "/hang"}, 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, base::Code::kDeadlineExceeded);
  EXPECT_EQ(handlers_->endless_ended->get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(HttpServerTest, ConnectionThatWentStaleIsReplaced) {
  HttpServerOptions options;
  options.idle_limit = 100ms;
  start(options);
  const auto first = get({"GET", "/hello"});
  RawClient witness(port_);  // it is cut off after the client's connection
  EXPECT_EQ(witness.read_all(), "");
  const auto second = get({"POST", "/echo", {}, "x"});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, "x");
}

base::Co<std::string> talk(HttpClient* client, std::string last) {
  CO_ASSIGN_OR_RETURN(auto socket, co_await client->websocket("/ws", {}, kLimit));
  std::string heard;
  for (int i = 0; i < 20; ++i) {
    WebSocket::Message message{std::to_string(i), i % 2 == 0};
    CO_RETURN_IF_ERROR(co_await socket->send(std::move(message)));
    CO_ASSIGN_OR_RETURN(auto echo, co_await socket->receive());
    if (!echo || echo->binary != (i % 2 == 0)) co_return "not the echo";
    heard += echo->data;
  }
  WebSocket::Message message{last, false};
  CO_RETURN_IF_ERROR(co_await socket->send(std::move(message)));
  CO_ASSIGN_OR_RETURN(auto end, co_await socket->receive());
  co_return end ? "not the end" : heard;
}

TEST_F(HttpServerTest, WebSocketBothSides) {
  start();
  EXPECT_EQ(loop_.run(talk(client_.get(), "bye")), "012345678910111213141516171819");
  const auto failed = loop_.run(talk(client_.get(), "fail"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error(), (base::Error{base::Code::kNotFound, "no such thing", {}}));
}

base::Co<> open(HttpClient* client, std::string target) {
  auto opened = co_await client->websocket(target, {}, kLimit);
  if (!opened) co_return std::unexpected(opened.error());
  co_return base::Result<>{};
}

TEST_F(HttpServerTest, WebSocketRefused) {
  start();
  const auto refused = loop_.run(open(client_.get(), "/nowhere"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::kNotFound);
  EXPECT_EQ(get({"GET", "/ws"})->status, 400);
}

}  // namespace
}  // namespace orchion::wire
