// Against small servers on loopback: what they are told, and how it is called when they don't take it.

#include "control/notify/curl_outbound.h"

#include <atomic>
#include <future>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

namespace orchion::control::notify {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::HasSubstr;

// Answers each connection's first request with the next of its answers; empty: nothing, until the client goes.
class SmallServer {
 public:
  explicit SmallServer(std::vector<std::string> answers)
      : acceptor_(io_, {asio::ip::address_v4::loopback(), 0}), thread_([this, answers] { serve(answers); }) {}
  ~SmallServer() { thread_.join(); }

  std::string url(const std::string& path = "/") const {
    return fmt::format("http://127.0.0.1:{}{}", acceptor_.local_endpoint().port(), path);
  }
  // When all answers were given.
  std::string heard() {
    if (thread_.joinable()) done_.get_future().wait();
    return heard_;
  }

 private:
  void serve(const std::vector<std::string>& answers) {
    for (const auto& answer : answers) {
      boost::system::error_code error;
      tcp::socket socket(io_);
      acceptor_.accept(socket, error);
      asio::streambuf buffer;
      asio::read_until(socket, buffer, "<end>", error);
      heard_.assign(asio::buffers_begin(buffer.data()), asio::buffers_end(buffer.data()));
      if (answer.empty()) {
        char more = 0;
        socket.read_some(asio::buffer(&more, 1), error);
      } else {
        asio::write(socket, asio::buffer(answer), error);
      }
    }
    done_.set_value();
  }

  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::string heard_;
  std::promise<void> done_;
  std::thread thread_;
};

std::string answer(const std::string& status, const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: 0\r\nConnection: close\r\n\r\n";
}

OutboundMessage post(const std::string& url, bool allow_private = true) {
  return {HttpMessage{url, {"X-Secret: s3cret"}, "hello <end>"}, allow_private};
}

TEST(CurlOutbound, PostsWhatItIsGiven) {
  SmallServer server({answer("204 No Content")});
  CurlOutbound outbound;
  const auto sent = outbound.send(post(server.url("/hook")));
  ASSERT_TRUE(sent) << sent.error().message;
  const auto heard = server.heard();
  EXPECT_THAT(heard, testing::StartsWith("POST /hook HTTP/1.1\r\n"));
  EXPECT_THAT(heard, HasSubstr("X-Secret: s3cret\r\n"));
  EXPECT_THAT(heard, testing::EndsWith("\r\n\r\nhello <end>"));
}

TEST(CurlOutbound, WhatIsNoSuccess) {
  SmallServer server({answer("500 Oops"), answer("410 Gone"), answer("302 Found", "Location: http://127.0.0.1:1/\r\n"),
                      answer("200 OK")});
  CurlOutbound outbound;
  auto sent = outbound.send(post(server.url()));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().message, "the receiver answered 500");
  EXPECT_EQ(outbound.send(post(server.url())).error().code, base::Code::kNotFound);
  sent = outbound.send(post(server.url()));
  ASSERT_FALSE(sent);
  EXPECT_THAT(sent.error().message, HasSubstr("302; redirections are not followed"));
  EXPECT_TRUE(outbound.send(post(server.url())));
}

TEST(CurlOutbound, AnEndlessAnswerIsBrokenOff) {
  SmallServer server({"HTTP/1.1 200 OK\r\n\r\n" + std::string(10u << 20, 'x')});
  EXPECT_TRUE(CurlOutbound().send(post(server.url())));
}

TEST(CurlOutbound, OneThatHangsIsLeft) {
  SmallServer server({""});
  CurlOutbound outbound({.limit = std::chrono::milliseconds(200)});
  const auto sent = outbound.send(post(server.url()));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().message, "it took too long to answer");
}

TEST(CurlOutbound, StopEndsWhatIsUnderWay) {
  SmallServer server({""});
  CurlOutbound outbound;
  auto sending = std::async(std::launch::async, [&] { return outbound.send(post(server.url())); });
  outbound.stop();
  const auto sent = sending.get();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, base::Code::kCancelled);
  // So that the server has had its connection, whichever came first.
  CurlOutbound other({.limit = std::chrono::milliseconds(50)});
  (void)other.send(post(server.url()));
}

TEST(CurlOutbound, ARefusedConnectionNamesNoSecret) {
  std::string url;
  {
    asio::io_context io;
    tcp::acceptor closed(io, {asio::ip::address_v4::loopback(), 0});
    url = fmt::format("http://127.0.0.1:{}/s3cret", closed.local_endpoint().port());
  }
  const auto sent = CurlOutbound().send(post(url));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().message, "it refuses connections");
}

TEST(CurlOutbound, PrivateAddressesAreNotConnectedToHoweverTheyAreWritten) {
  asio::io_context io;
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  const auto port = acceptor.local_endpoint().port();
  CurlOutbound outbound;
  for (const auto* host : {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"}) {
    const auto sent = outbound.send(post(fmt::format("http://{}:{}/", host, port), false));
    ASSERT_FALSE(sent) << host;
    EXPECT_EQ(sent.error().code, base::Code::kPermissionDenied) << host << ": " << sent.error().message;
  }
  for (const auto* host : {"169.254.169.254", "0.0.0.0", "[fe80::1]"}) {
    const auto sent = outbound.send(post(fmt::format("http://{}:{}/", host, port), true));
    ASSERT_FALSE(sent) << host;
    EXPECT_EQ(sent.error().code, base::Code::kPermissionDenied) << host << ": " << sent.error().message;
  }
  acceptor.non_blocking(true);
  boost::system::error_code error;
  tcp::socket socket(io);
  acceptor.accept(socket, error);
  EXPECT_EQ(error, asio::error::would_block) << "nobody came";
}

TEST(CurlOutbound, NoProxyIsUsed) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  SmallServer server({answer("200 OK")});
  EXPECT_TRUE(CurlOutbound().send(post(server.url())));
  ::unsetenv("http_proxy");
}

TEST(CurlOutbound, OtherProtocolsAreNotSpoken) {
  for (const auto* url : {"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/"})
    EXPECT_FALSE(CurlOutbound().send(post(url))) << url;
}

}  // namespace
}  // namespace orchion::control::notify
