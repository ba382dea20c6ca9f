// Real sockets on loopback; askers are addresses of 127.0.0.0/8.

#include "mesh/dns/dns_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <future>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "base/notifier.h"
#include "base/worker_pool.h"
#include "mesh/dns/dns_client.h"

namespace orchion::mesh::dns {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using client::from_bytes;
using client::Question;
using client::Reply;
using client::to_bytes;
using testing::ElementsAre;

constexpr int kServerFailure = 2;
constexpr const char* kAsker = "127.8.0.2";
constexpr const char* kStranger = "127.8.0.3";
constexpr const char* kGateway = "127.8.0.1";
constexpr auto kLong = std::chrono::seconds(60);

void limit_waiting(int fd) {
  const timeval limit{5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

// A resolver elsewhere: answers each datagram, and each connection once, as it is told.
class FakeUpstream {
 public:
  explicit FakeUpstream(std::function<Bytes(const Bytes&)> by_udp, std::function<Bytes(const Bytes&)> by_tcp = {})
      : udp_(io_), tcp_(io_), by_udp_(std::move(by_udp)), by_tcp_(std::move(by_tcp)) {
    listen();
    receive();
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~FakeUpstream() {
    io_.stop();
    thread_.join();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(udp_.local_endpoint().port()); }
  int asked() const { return asked_; }

 private:
  // A port that is free for one transport may be taken for the other, by another program.
  void listen() {
    constexpr int kTriesMax = 100;
    const auto loopback = asio::ip::address_v4::loopback();
    for (int tries = 1;; ++tries) {
      udp_ = udp::socket(io_, udp::endpoint(loopback, 0));
      tcp_ = tcp::acceptor(io_, tcp::v4());
      boost::system::error_code taken;
      tcp_.bind(tcp::endpoint(loopback, udp_.local_endpoint().port()), taken);
      if (!taken) break;
      if (taken != asio::error::address_in_use || tries == kTriesMax) throw boost::system::system_error(taken);
    }
    tcp_.listen();
  }

  void receive() {
    buffer_.resize(4096);
    udp_.async_receive_from(asio::buffer(buffer_), from_, [this](boost::system::error_code failure, std::size_t size) {
      if (failure) return;
      ++asked_;
      buffer_.resize(size);
      const Bytes reply = by_udp_(buffer_);
      if (!reply.empty()) udp_.send_to(asio::buffer(reply), from_);
      receive();
    });
  }
  void accept() {
    tcp_.async_accept([this](boost::system::error_code failure, tcp::socket socket) {
      if (failure) return;
      if (by_tcp_) {
        std::array<std::uint8_t, 2> length{};
        asio::read(socket, asio::buffer(length));
        Bytes query(static_cast<std::size_t>(length[0] << 8 | length[1]));
        asio::read(socket, asio::buffer(query));
        const Bytes reply = by_tcp_(query);
        length = {static_cast<std::uint8_t>(reply.size() >> 8), static_cast<std::uint8_t>(reply.size())};
        asio::write(socket, asio::buffer(length));
        asio::write(socket, asio::buffer(reply));
      }
      accept();
    });
  }

  asio::io_context io_;
  udp::socket udp_;
  tcp::acceptor tcp_;
  std::function<Bytes(const Bytes&)> by_udp_;
  std::function<Bytes(const Bytes&)> by_tcp_;
  Bytes buffer_;
  udp::endpoint from_;
  std::atomic<int> asked_ = 0;
  std::thread thread_;
};

class DnsServerTest : public testing::Test {
 protected:
  DnsServerTest() : guard_(io_.get_executor()) {
    table_.put_local({"asker", "blue", kAsker, "shop"});
    for (std::uint32_t slot = 1; slot <= 100; ++slot) {
      table_.put({"many" + std::to_string(slot), "blue", "10.0.1." + std::to_string(slot), "shop", "many", slot, {}});
    }
    table_.put({"web", "blue", "10.0.0.2", "shop", "web", 1, {}});
    thread_ = std::thread([this] { io_.run(); });
  }
  ~DnsServerTest() override {
    on_loop([&] { server_.reset(); });
    guard_.reset();
    io_.stop();
    thread_.join();
  }

  void on_loop(const std::function<void()>& action) {
    std::promise<void> done;
    base::post_to(io_.get_executor(), [&] {
      action();
      done.set_value();
    });
    done.get_future().get();
  }

  void start_with(DnsServerOptions options) {
    on_loop([&] {
      server_ = std::make_unique<DnsServer>(io_.get_executor(), clock_, table_, std::move(options));
      const auto started = server_->start();
      ASSERT_TRUE(started.has_value()) << started.error().message;
      const auto added = server_->add_address(kGateway);
      ASSERT_TRUE(added.has_value()) << added.error().message;
    });
  }

  void start(std::vector<std::string> upstreams = {"127.0.0.1:1"}) {
    start_with(DnsServerOptions{.upstreams = std::move(upstreams), .upstream_limit = std::chrono::milliseconds(100)});
  }

  udp::socket client(const std::string& from = kAsker, const std::string& server = kGateway) {
    udp::socket socket(io_, udp::endpoint(asio::ip::make_address(from), 0));
    socket.connect(udp::endpoint(asio::ip::make_address(server), server_->port()));
    limit_waiting(socket.native_handle());
    return socket;
  }

  static Bytes receive(udp::socket& socket) {
    Bytes reply(65535);
    boost::system::error_code failure;
    reply.resize(socket.receive(asio::buffer(reply), 0, failure));
    return reply;
  }

  Reply ask(const Question& question, const std::string& server = kGateway) {
    udp::socket socket = client(kAsker, server);
    socket.send(asio::buffer(to_bytes(question)));
    return from_bytes(receive(socket));
  }

  // Empty where the server closes the connection.
  Bytes ask_tcp(const Bytes& query, const std::string& from = kAsker) {
    tcp::socket socket(io_, tcp::endpoint(asio::ip::make_address(from), 0));
    socket.connect(tcp::endpoint(asio::ip::make_address(kGateway), server_->port()));
    limit_waiting(socket.native_handle());
    std::array<std::uint8_t, 2> length = {static_cast<std::uint8_t>(query.size() >> 8),
                                          static_cast<std::uint8_t>(query.size())};
    boost::system::error_code failure;
    asio::write(socket, asio::buffer(length), failure);
    asio::write(socket, asio::buffer(query), failure);
    if (asio::read(socket, asio::buffer(length), failure) != length.size()) return {};
    Bytes reply(static_cast<std::size_t>(length[0] << 8 | length[1]));
    asio::read(socket, asio::buffer(reply), failure);
    return failure ? Bytes{} : reply;
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::thread thread_;
  base::SystemClock clock_;
  RecordTable table_;
  std::unique_ptr<DnsServer> server_;
};

TEST_F(DnsServerTest, AnswersByUdpAndTcp) {
  start();
  EXPECT_THAT(ask({"web"}).values, ElementsAre("10.0.0.2"));
  EXPECT_TRUE(ask({"many"}).truncated);
  EXPECT_EQ(from_bytes(ask_tcp(to_bytes({"many"}))).values.size(), 100u);
  EXPECT_THAT(ask({"web"}, "127.0.0.1").values, ElementsAre("10.0.0.2")) << "every address has the same port";
}

TEST_F(DnsServerTest, ChangesOfTheTableAreSeenAtOnce) {
  start();
  on_loop([&] { table_.put({"new", "blue", "10.0.0.7", "shop", "new", 1, {}}); });
  EXPECT_THAT(ask({"new"}).values, ElementsAre("10.0.0.7"));
}

TEST_F(DnsServerTest, IsSilentToStrangersAndNonsense) {
  start();
  udp::socket stranger = client(kStranger);
  stranger.send(asio::buffer(to_bytes({"web"})));
  udp::socket known = client();
  known.send(asio::buffer(std::string("nonsense")));
  known.send(asio::buffer(to_bytes({.name = "web", .id = 7})));
  // Datagrams are answered in order: once this one is, the stranger's has been dropped.
  EXPECT_EQ(from_bytes(receive(known)).id, 7);
  EXPECT_EQ(stranger.available(), 0u);
  EXPECT_TRUE(ask_tcp(to_bytes({"web"}), kStranger).empty());
  EXPECT_TRUE(ask_tcp(Bytes(20, 0xff)).empty());
}

TEST_F(DnsServerTest, ForwardsWhatIsntOursByteForByte) {
  const FakeUpstream upstream([](const Bytes& query) { return client::reply_bytes(query, "192.0.2.7", true); },
                              [](const Bytes& query) { return client::reply_bytes(query, "192.0.2.8"); });
  start({upstream.address()});
  const Reply by_udp = ask({.name = "Example.com", .id = 99});
  EXPECT_THAT(by_udp.values, ElementsAre("192.0.2.7"));
  EXPECT_EQ(by_udp.id, 99);
  EXPECT_TRUE(by_udp.truncated) << "the asker's to ask again";
  EXPECT_THAT(from_bytes(ask_tcp(to_bytes({"example.com"}))).values, ElementsAre("192.0.2.8"));
  ask({"nobody"});
  ask({"x.orchion.internal"});
  EXPECT_EQ(upstream.asked(), 1) << "what is ours stays here";
}

TEST_F(DnsServerTest, AsksTheNextResolverWhenOneIsSilentOrLies) {
  const FakeUpstream silent([](const Bytes&) { return Bytes{}; });
  const FakeUpstream liar([](const Bytes& query) {
    Bytes wrong = client::reply_bytes(query, "192.0.2.66");
    wrong[0] ^= 0xff;
    return wrong;
  });
  const FakeUpstream good([](const Bytes& query) { return client::reply_bytes(query, "192.0.2.7"); });
  start({silent.address(), liar.address(), good.address()});
  EXPECT_THAT(ask({"example.com"}).values, ElementsAre("192.0.2.7"));
  EXPECT_EQ(silent.asked() + liar.asked() + good.asked(), 3);
}

TEST_F(DnsServerTest, SaysSoWhenNoResolverAnswers) {
  const FakeUpstream silent([](const Bytes&) { return Bytes{}; });
  start({silent.address()});
  const Reply reply = ask({.name = "example.com", .id = 5});
  EXPECT_EQ(reply.rcode, kServerFailure);
  EXPECT_EQ(reply.id, 5);
  EXPECT_EQ(from_bytes(ask_tcp(to_bytes({"example.com"}))).rcode, kServerFailure);
}

TEST_F(DnsServerTest, NeverAsksItself) {
  start();
  const std::string itself = std::string(kGateway) + ":" + std::to_string(server_->port());
  const std::uint16_t port = server_->port();
  on_loop([&] {
    server_ = std::make_unique<DnsServer>(
        io_.get_executor(), clock_, table_,
        DnsServerOptions{.port = port, .upstreams = {itself}, .upstream_limit = std::chrono::seconds(60)});
    ASSERT_TRUE(server_->start().has_value());
    ASSERT_TRUE(server_->add_address(kGateway).has_value());
  });
  EXPECT_EQ(ask({"example.com"}).rcode, kServerFailure);
}

TEST_F(DnsServerTest, AddressesComeAndGo) {
  start();
  on_loop([&] {
    EXPECT_TRUE(server_->add_address(kGateway).has_value());
    EXPECT_TRUE(server_->add_address("203.0.113.77").has_value()) << "its bridge may come later";
    EXPECT_FALSE(server_->add_address("nonsense").has_value());
    server_->remove_address("203.0.113.77");
    server_->remove_address(kGateway);
    server_->remove_address(kGateway);
  });
  const udp::endpoint gateway(asio::ip::make_address(kGateway), server_->port());
  EXPECT_NO_THROW(udp::socket(io_, gateway)) << "free again";
  on_loop([&] { EXPECT_TRUE(server_->add_address(kGateway).has_value()); });
  EXPECT_THAT(ask({"web"}).values, ElementsAre("10.0.0.2"));
}

TEST_F(DnsServerTest, ManyAtOnceAreAllAnswered) {
  start();
  constexpr std::uint16_t kQueries = 150;
  udp::socket asker = client();
  std::set<std::uint16_t> ids;
  on_loop([&] {  // the server is busy until all have come
    for (std::uint16_t id = 0; id < kQueries; ++id)
      asker.send(
          asio::buffer(to_bytes({.name = id % 2 == 0 ? "web" : "nobody", .type = id % 3 == 0 ? "MX" : "A", .id = id})));
  });
  for (int i = 0; i < kQueries; ++i) {
    const Reply reply = from_bytes(receive(asker));
    EXPECT_EQ(reply.rcode, reply.id % 2 == 0 ? 0 : 3);
    ids.insert(reply.id);
  }
  EXPECT_EQ(ids.size(), kQueries);
}

TEST_F(DnsServerTest, WhatIsKnownIsntAskedAgain) {
  const FakeUpstream upstream(
      [](const Bytes& query) { return client::reply_of(query, {.answer = {"example.com. 60 IN A 192.0.2.7"}}); });
  start({upstream.address()});
  EXPECT_THAT(ask({"example.com"}).values, ElementsAre("192.0.2.7"));
  const Reply again = ask({.name = "EXAMPLE.com", .id = 8});
  EXPECT_THAT(again.values, ElementsAre("192.0.2.7"));
  EXPECT_EQ(again.id, 8);
  EXPECT_THAT(from_bytes(ask_tcp(to_bytes({"example.com"}))).values, ElementsAre("192.0.2.7"));
  EXPECT_EQ(upstream.asked(), 1);
  ask({.name = "example.com", .edns_bytes = 1232});
  EXPECT_EQ(upstream.asked(), 2);
}

TEST_F(DnsServerTest, WhatManyAskIsAskedOnce) {
  std::promise<void> answer;
  const FakeUpstream upstream([may = answer.get_future().share()](const Bytes& query) {
    may.wait();
    return client::reply_of(query, {.rcode = 5, .answer = {}});  // which isn't kept
  });
  start_with(DnsServerOptions{.upstreams = {upstream.address()}, .upstream_limit = kLong});
  std::vector<udp::socket> askers;
  for (std::uint16_t id = 0; id < 5; ++id) {
    askers.push_back(client());
    askers.back().send(asio::buffer(to_bytes({.name = id == 0 ? "Example.com" : "example.com", .id = id})));
    if (id > 0) continue;
    while (upstream.asked() == 0) std::this_thread::yield();
  }
  // Datagrams are read in order: once this one is answered, the others wait.
  ASSERT_EQ(ask({"web"}).rcode, 0);
  answer.set_value();
  for (std::uint16_t id = 0; id < 5; ++id) {
    const Reply reply = from_bytes(receive(askers[id]));
    EXPECT_EQ(reply.id, id);
    EXPECT_EQ(reply.rcode, 5);
  }
  EXPECT_EQ(upstream.asked(), 1);
}

TEST_F(DnsServerTest, OnlySoManyWait) {
  std::promise<void> answer;
  const FakeUpstream upstream([may = answer.get_future().share()](const Bytes& query) {
    may.wait();
    return client::reply_bytes(query, "192.0.2.7");
  });
  start_with(DnsServerOptions{.upstreams = {upstream.address()}, .upstream_limit = kLong, .waiting_max = 1});
  udp::socket first = client();
  first.send(asio::buffer(to_bytes({"example.com"})));
  EXPECT_EQ(ask({"example.org"}).rcode, kServerFailure);
  answer.set_value();
  EXPECT_THAT(from_bytes(receive(first)).values, ElementsAre("192.0.2.7"));
  EXPECT_THAT(ask({"example.org"}).values, ElementsAre("192.0.2.7")) << "there is room again";
}

TEST_F(DnsServerTest, AnAnswerWaitsForWhoIsToldOfIt) {
  const FakeUpstream upstream([](const Bytes& query) {
    return client::reply_of(query, {.answer = {"www.example.com. 60 IN CNAME x.", "x. 50 IN A 192.0.2.7"}});
  });
  std::vector<std::string> told;
  base::Notifier may(io_.get_executor());
  const auto wait = [&]() -> base::Co<> { co_return co_await may.wait(); };
  const auto hook = [&](std::string_view asker, std::string_view name, std::span<const std::string> addresses,
                        std::chrono::seconds ttl) -> std::optional<base::Co<>> {
    told.push_back(fmt::format("{} {} {} {}", asker, name, fmt::join(addresses, ","), ttl.count()));
    if (told.size() > 1) return std::nullopt;
    return wait();
  };
  start_with(DnsServerOptions{.upstreams = {upstream.address()}, .upstream_limit = kLong, .on_forwarded = hook});
  udp::socket asker = client();
  asker.send(asio::buffer(to_bytes({"WWW.example.com"})));
  for (std::size_t heard = 0; heard == 0;) on_loop([&] { heard = told.size(); });
  EXPECT_EQ(asker.available(), 0u);
  on_loop([&] { may.notify(); });
  EXPECT_THAT(from_bytes(receive(asker)).values, ElementsAre("x.", "192.0.2.7"));
  ask({"www.example.com"});
  ask({"web"});
  EXPECT_EQ(told.size(), 2u) << "kept answers too; names of ours not";
  EXPECT_EQ(told.front(), std::string(kAsker) + " www.example.com 192.0.2.7 50");
}

TEST_F(DnsServerTest, NobodyWaitsForEverForWhoIsTold) {
  const FakeUpstream upstream(
      [](const Bytes& query) { return client::reply_of(query, {.answer = {"example.com. 60 IN A 192.0.2.7"}}); });
  const auto hook = [](auto...) -> std::optional<base::Co<>> { return base::wait_for_ever(); };
  start_with(DnsServerOptions{.upstreams = {upstream.address()}, .upstream_limit = kLong, .on_forwarded = hook});
  EXPECT_THAT(ask({"example.com"}).values, ElementsAre("192.0.2.7"));
}

}  // namespace
}  // namespace orchion::mesh::dns
