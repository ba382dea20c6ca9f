#include "wire/http_server.h"

#include <sys/stat.h>

#include <gmock/gmock.h>

#include "wire/http_lab.h"

namespace orchion::wire {
namespace {

using ::testing::HasSubstr;
using testing::RawClient;
using ::testing::StartsWith;
using testing::TempFolder;
using namespace std::chrono_literals;

using HttpServerTest = HttpLab;

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

}  // namespace
}  // namespace orchion::wire
