// Probes against real little servers on loopback, good ones and bad ones.

#include "node/probes/probe.h"

#include <sys/socket.h>

#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/timeout.h"
#include "grpc/health.pb.h"
#include "node/probes/ways.h"
#include "wire/grpc/grpc_server.h"
#include "wire/testing.h"
#include "wire/tls/tls_lab.h"

namespace orchion::node::probes {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;
using Verdict = Outcome::Verdict;

// Answers each connection as a test says, on a thread of its own; open until the test ends.
class LittleServer {
 public:
  using Serve = std::function<void(int peer)>;

  explicit LittleServer(Serve serve = nullptr, int family = AF_INET) : serve_(std::move(serve)) {
    listener_.reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address{};
    address.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET)
      reinterpret_cast<sockaddr_in*>(&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
      reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr = in6addr_loopback;
    socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ::listen(listener_.get(), 16);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                                    : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
    thread_ = std::thread([this] { run(); });
  }
  ~LittleServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::uint16_t port() const { return port_; }

 private:
  void run() {
    std::vector<base::UniqueFd> open;
    while (true) {
      base::UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      if (serve_) serve_(peer.get());
      open.push_back(std::move(peer));
    }
  }

  Serve serve_;
  base::UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

void say(int peer, std::string_view bytes) {
  (void)!::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

std::string hear(int peer) {
  char buffer[4096];
  const auto count = ::recv(peer, buffer, sizeof buffer, 0);
  return count > 0 ? std::string(buffer, static_cast<std::size_t>(count)) : "";
}

// Reads the request, answers, closes.
LittleServer::Serve answer(std::string bytes) {
  return [bytes = std::move(bytes)](int peer) {
    hear(peer);
    say(peer, bytes);
    ::shutdown(peer, SHUT_RDWR);
  };
}

base::Co<base::UniqueFd> make_socket(int family) {
  base::UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) co_return base::fail_errno(errno, "cannot make a socket");
  co_return socket;
}

class ProbeTest : public testing::Test {
 protected:
  Target target() { return {.id = "task", .make_socket = &make_socket, .addresses = {"127.0.0.1", "::1"}}; }

  Outcome ask(v1::HealthCheck check, base::Duration timeout = 10s) {
    return loop_.run(probe(clock_, target(), std::move(check), timeout)).value();
  }
  Outcome ask_http(std::uint16_t port, base::Duration timeout = 10s, bool tls = false) {
    v1::HealthCheck check;
    check.mutable_http()->set_port(port);
    check.mutable_http()->set_tls(tls);
    return ask(std::move(check), timeout);
  }
  Outcome ask_tcp(std::uint16_t port) {
    v1::HealthCheck check;
    check.mutable_tcp()->set_port(port);
    return ask(std::move(check));
  }
  Outcome ask_grpc(std::uint16_t port, const std::string& service = "", base::Duration timeout = 10s) {
    v1::HealthCheck check;
    check.mutable_grpc()->set_port(port);
    check.mutable_grpc()->set_service(service);
    return ask(std::move(check), timeout);
  }
  // One that nobody listens on.
  static std::uint16_t nowhere() { return LittleServer().port(); }

  base::SystemClock clock_;
  wire::testing::LoopThread loop_;
};

TEST_F(ProbeTest, HttpIsGoodFrom200To399) {
  for (const int status : {200, 204, 301, 399}) {
    LittleServer server(answer("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 0\r\n\r\n"));
    const auto outcome = ask_http(server.port());
    EXPECT_EQ(outcome.verdict, Verdict::kGood) << status;
    EXPECT_EQ(outcome.output, "HTTP status " + std::to_string(status));
  }
  for (const int status : {400, 404, 500, 503}) {
    LittleServer server(answer("HTTP/1.1 " + std::to_string(status) + " X\r\n\r\nthe disk is full\n"));
    const auto outcome = ask_http(server.port());
    EXPECT_EQ(outcome.verdict, Verdict::kBad) << status;
    EXPECT_EQ(outcome.output, "HTTP status " + std::to_string(status) + ": the disk is full\n");
  }
}

TEST_F(ProbeTest, HttpAsksForWhatItIsTold) {
  std::promise<std::string> heard;
  LittleServer server([&](int peer) {
    heard.set_value(hear(peer));
    say(peer,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n");
  });
  v1::HealthCheck check;
  auto& http = *check.mutable_http();
  http.set_port(server.port());
  http.set_path("/healthz?deep=1");
  http.set_host("shop.example");
  auto& header = *http.add_headers();
  header.set_name("X-Key");
  header.set_value("1\r\nX-Smuggled: 2");
  EXPECT_EQ(ask(check).verdict, Verdict::kGood);
  const auto request = heard.get_future().get();
  EXPECT_THAT(request, StartsWith("GET /healthz?deep=1 HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("Host: shop.example:" + std::to_string(server.port()) + "\r\n"));
  EXPECT_THAT(request, HasSubstr("X-Key: 1X-Smuggled: 2\r\n")) << "a header stays one line";
}

TEST_F(ProbeTest, NowhereIsBad) {
  const auto port = nowhere();
  EXPECT_EQ(ask_tcp(port).verdict, Verdict::kBad);
  EXPECT_EQ(ask_http(port).verdict, Verdict::kBad);
  EXPECT_EQ(ask_grpc(port).verdict, Verdict::kBad);
  EXPECT_EQ(ask_tcp(port).output, "nothing takes connections on port " + std::to_string(port) + ": Connection refused");
}

TEST_F(ProbeTest, WhatListensOnIpv6AloneIsFound) {
  LittleServer server(nullptr, AF_INET6);
  EXPECT_EQ(ask_tcp(server.port()).verdict, Verdict::kGood);
}

TEST_F(ProbeTest, ASilentServerTakesTcpAndNothingElse) {
  LittleServer server;
  EXPECT_EQ(ask_tcp(server.port()).verdict, Verdict::kGood);
  for (const auto& outcome : {ask_http(server.port(), 50ms), ask_http(server.port(), 50ms, /*tls=*/true),
                              ask_grpc(server.port(), "", 50ms)}) {
    EXPECT_EQ(outcome.verdict, Verdict::kBad);
    EXPECT_EQ(outcome.output, "the check took longer than 50 ms");
  }
}

TEST_F(ProbeTest, ASlowHeadIsCutOff) {
  std::atomic<bool> over = false;
  LittleServer server([&](int peer) {
    say(peer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 1000 && !over; ++i) {
      say(peer, "X: y\r\n");
      std::this_thread::sleep_for(5ms);
    }
  });
  EXPECT_EQ(ask_http(server.port(), 60ms).output, "the check took longer than 60 ms");
  over = true;
}

TEST_F(ProbeTest, AnEndlessHeadIsCutOff) {
  LittleServer server([](int peer) {
    say(peer, "HTTP/1.1 200 OK\r\n");
    const std::string line = "X: " + std::string(1000, 'y') + "\r\n";
    while (::send(peer, line.data(), line.size(), MSG_NOSIGNAL) > 0) continue;
  });
  const auto outcome = ask_http(server.port());
  EXPECT_EQ(outcome.verdict, Verdict::kBad);
  EXPECT_EQ(outcome.output, "the head of the answer is endless");
}

TEST_F(ProbeTest, AnEndlessLineIsCutOff) {
  LittleServer server([](int peer) {
    const std::string much(1000, 'y');
    say(peer, "HTTP/1.1 200 OK\r\nX: ");
    while (::send(peer, much.data(), much.size(), MSG_NOSIGNAL) > 0) continue;
  });
  EXPECT_EQ(ask_http(server.port()).output, "the head of the answer is endless");
}

TEST_F(ProbeTest, TheStatusIsEnoughWhereTheBodyNeverEnds) {
  LittleServer events([](int peer) {
    hear(peer);
    say(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n");
  });
  EXPECT_EQ(ask_http(events.port(), 5s).verdict, Verdict::kGood);
  LittleServer failing([](int peer) {
    hear(peer);
    say(peer, "HTTP/1.1 503 No\r\nContent-Length: 1000000\r\n\r\n");
  });
  EXPECT_EQ(ask_http(failing.port(), 5s).output, "HTTP status 503");
}

TEST_F(ProbeTest, OutputIsShortAndValid) {
  LittleServer server(answer("HTTP/1.1 500 No\r\n\r\n\xff" + std::string(100'000, 'x')));
  const auto outcome = ask_http(server.port());
  EXPECT_LE(outcome.output.size(), kOutputBytesMax);
  EXPECT_THAT(outcome.output, StartsWith("HTTP status 500: \xef\xbf\xbdx"));
  EXPECT_EQ(one_line("\n a\tb\r\n"), "a b");
  EXPECT_LE(one_line(outcome.output).size(), 300u);
}

TEST_F(ProbeTest, OtherProtocolsAreBad) {
  LittleServer ssh([](int peer) { say(peer, "SSH-2.0-OpenSSH_9.2p1\r\n"); });
  EXPECT_EQ(ask_http(ssh.port()).output, "what answers doesn't speak HTTP/1");
  EXPECT_THAT(ask_http(ssh.port(), 10s, /*tls=*/true).output, StartsWith("what answers doesn't speak TLS"));
  EXPECT_THAT(ask_grpc(ssh.port()).output, HasSubstr("doesn't speak gRPC without TLS"));
  LittleServer mute([](int peer) {
    hear(peer);
    ::shutdown(peer, SHUT_RDWR);
  });
  EXPECT_EQ(ask_http(mute.port()).output, "the connection was closed without an answer");
  EXPECT_EQ(ask_http(mute.port()).verdict, Verdict::kBad);
}

TEST_F(ProbeTest, TlsWithoutVerification) {
  wire::tls::TlsLabServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  v1::HealthCheck check;
  check.mutable_http()->set_port(server.port());
  check.mutable_http()->set_tls(true);
  check.mutable_http()->set_host("shop.example");
  const auto outcome = ask(check);
  EXPECT_EQ(outcome.verdict, Verdict::kGood) << outcome.output;
  EXPECT_EQ(outcome.output, "HTTP status 200: ok");
  EXPECT_EQ(ask_http(server.port()).verdict, Verdict::kBad) << "without TLS it isn't HTTP";
}

// A gRPC server as others have them, with a health service.
class GrpcProbeTest : public ProbeTest {
 protected:
  GrpcProbeTest() {
    server_ = std::make_unique<wire::grpc::GrpcServer>(
        loop_.executor(), [](wire::grpc::Call call, std::shared_ptr<wire::grpc::ByteStream> stream) {
          return serve(std::move(call), std::move(stream));
        });
    port_ = server_->listen("127.0.0.1:0").value();
  }
  ~GrpcProbeTest() override { server_->shutdown(0ms); }

  static base::Co<> serve(wire::grpc::Call call, std::shared_ptr<wire::grpc::ByteStream> stream) {
    if (call.method != "/grpc.health.v1.Health/Check")
      co_return base::fail(base::Code::kUnimplemented, "no " + call.method);
    CO_ASSIGN_OR_RETURN(const auto message, co_await stream->receive());
    ::grpc::health::v1::HealthCheckRequest request;
    if (!message || !request.ParseFromString(*message))
      co_return base::fail(base::Code::kInvalidArgument, "no request");
    if (request.service() == "lost") co_return base::fail(base::Code::kNotFound, "unknown service");
    if (request.service() == "odd") co_return base::fail(base::Code::kUnimplemented, "no health here");
    ::grpc::health::v1::HealthCheckResponse response;
    response.set_status(request.service() == "cart" ? ::grpc::health::v1::HealthCheckResponse::NOT_SERVING
                                                    : ::grpc::health::v1::HealthCheckResponse::SERVING);
    co_return co_await stream->send(response.SerializeAsString());
  }

  std::unique_ptr<wire::grpc::GrpcServer> server_;
  std::uint16_t port_ = 0;
};

TEST_F(GrpcProbeTest, AsksTheHealthService) {
  EXPECT_EQ(ask_grpc(port_).verdict, Verdict::kGood);
  EXPECT_EQ(ask_grpc(port_).output, "SERVING");
  EXPECT_EQ(ask_grpc(port_, "cart").verdict, Verdict::kBad);
  EXPECT_EQ(ask_grpc(port_, "cart").output, "NOT_SERVING");
  EXPECT_EQ(ask_grpc(port_, "lost").output, "the server knows no service \"lost\": unknown service");
  EXPECT_EQ(ask_grpc(port_, "lost").verdict, Verdict::kBad);
  EXPECT_EQ(ask_grpc(port_, "odd").output, "the server has no grpc.health.v1.Health");
}

TEST_F(ProbeTest, CancelledProbesEndAtOnceAndLeaveNothing) {
  LittleServer server;
  v1::HealthCheck http;
  http.mutable_http()->set_port(server.port());
  v1::HealthCheck grpc;
  grpc.mutable_grpc()->set_port(server.port());
  for (const auto& check : {http, grpc}) {
    auto asked = probe(clock_, target(), check, 1h);
    const auto ended = loop_.run(base::with_timeout(clock_, 50ms, "it", std::move(asked)));
    EXPECT_EQ(ended.error().code, base::Code::kDeadlineExceeded);
  }
}

TEST(CheckCommand, WordsOrALine) {
  v1::HealthCheck line;
  for (const char* word : {"CMD-SHELL", "true"}) line.mutable_test()->add_values(word);
  EXPECT_EQ(check_command(line), (std::vector<std::string>{"/bin/sh", "-c", "true"}));
  v1::HealthCheck words;
  for (const char* word : {"CMD", "wget", "localhost"}) words.mutable_test()->add_values(word);
  EXPECT_EQ(check_command(words), (std::vector<std::string>{"wget", "localhost"}));
}

}  // namespace
}  // namespace orchion::node::probes
