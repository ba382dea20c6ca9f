#include "wire/http_client.h"

#include <gmock/gmock.h>

#include "wire/http_lab.h"

namespace orchion::wire {
namespace {

using ::testing::HasSubstr;
using testing::RawClient;
using ::testing::StartsWith;
using testing::TempFolder;
using namespace std::chrono_literals;

using HttpClientTest = HttpLab;

TEST_F(HttpClientTest, NobodyAnswers) {
  start();
  stop(0s);
  const auto refused = get({"GET", "/hello"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::kUnavailable);
  client_ = std::make_unique<HttpClient>(loop_.executor(), Endpoint{Transport::kUnix, "/nonexistent/x.sock"});
  EXPECT_EQ(get({"GET", "/"}).error().code, base::Code::kUnavailable);
}

TEST_F(HttpClientTest, ClientsLimitHolds) {
  HttpServerOptions options;
  options.stall_limit = 100ms;
  start(options);
  const auto late = get({"GET", "/hang"}, 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, base::Code::kDeadlineExceeded);
  EXPECT_EQ(handlers_->endless_ended->get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(HttpClientTest, ConnectionThatWentStaleIsReplaced) {
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

TEST_F(HttpClientTest, WebSocketBothSides) {
  start();
  EXPECT_EQ(loop_.run(talk(client_.get(), "bye")), "012345678910111213141516171819");
  const auto failed = loop_.run(talk(client_.get(), "fail"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error(), (base::Error{base::Code::kNotFound, "no such thing", {}}));
}

// One connection that answers whatever it is asked with `answer`, then sends back what it gets until its end.
class UpgradingServer {
 public:
  UpgradingServer(const std::string& path, std::string answer) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    listener_ = base::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::thread([this, answer = std::move(answer)] { serve(answer); });
  }
  ~UpgradingServer() { thread_.join(); }

  const std::string& asked() const { return asked_; }

 private:
  void serve(const std::string& answer) {
    const base::UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char bytes[4096];
    while (asked_.find("\r\n\r\n") == std::string::npos) {
      const auto count = ::recv(peer.get(), bytes, sizeof(bytes), 0);
      if (count <= 0) return;
      asked_.append(bytes, static_cast<std::size_t>(count));
    }
    (void)!::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    std::string kept;
    for (auto count = ::recv(peer.get(), bytes, sizeof(bytes), 0); count > 0;
         count = ::recv(peer.get(), bytes, sizeof(bytes), 0))
      kept.append(bytes, static_cast<std::size_t>(count));
    (void)!::send(peer.get(), kept.data(), kept.size(), MSG_NOSIGNAL);
  }

  base::UniqueFd listener_;
  std::string asked_;
  std::thread thread_;
};

// Sends `said`, ends its half, and returns all that came; or the refusal.
base::Co<std::string> talk_raw(HttpClient* client, std::string said) {
  ClientRequest request{"POST", "/exec/1/start", {}, "{}"};
  CO_ASSIGN_OR_RETURN(auto upgrade, co_await client->upgrade(std::move(request), "tcp", kLimit));
  if (!upgrade.stream) {
    CO_ASSIGN_OR_RETURN(auto body, co_await read_whole(*upgrade.response.body, 1u << 16));
    co_return std::to_string(upgrade.response.status) + ": " + body;
  }
  CO_RETURN_IF_ERROR(co_await upgrade.stream->write(std::move(said)));
  upgrade.stream->end();
  std::string heard;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await upgrade.stream->read());
    if (!piece) co_return heard;
    heard += *piece;
  }
}

TEST_F(HttpClientTest, AnUpgradedConnectionCarriesBytesBothWays) {
  TempFolder folder;
  UpgradingServer server(folder / "s", "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst ");
  HttpClient client(loop_.executor(), Endpoint{Transport::kUnix, folder / "s"});
  EXPECT_EQ(loop_.run(talk_raw(&client, std::string(300'000, 'x'))), "first " + std::string(300'000, 'x'));
  EXPECT_THAT(server.asked(), HasSubstr("Upgrade: tcp\r\n"));
}

TEST_F(HttpClientTest, ARefusedUpgradeIsAnOrdinaryAnswer) {
  TempFolder folder;
  UpgradingServer server(folder / "s", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
  HttpClient client(loop_.executor(), Endpoint{Transport::kUnix, folder / "s"});
  EXPECT_EQ(loop_.run(talk_raw(&client, "")), "404: none");
}

base::Co<> open(HttpClient* client, std::string target) {
  auto opened = co_await client->websocket(target, {}, kLimit);
  if (!opened) co_return std::unexpected(opened.error());
  co_return base::Result<>{};
}

TEST_F(HttpClientTest, WebSocketRefused) {
  start();
  const auto refused = loop_.run(open(client_.get(), "/nowhere"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::kNotFound);
  EXPECT_EQ(get({"GET", "/ws"})->status, 400);
}

}  // namespace
}  // namespace orchion::wire
