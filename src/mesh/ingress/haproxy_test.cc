// The real program.

#include "mesh/ingress/haproxy.h"

#include <atomic>
#include <csignal>
#include <filesystem>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"

namespace orchion::mesh::ingress {
namespace {

using testing::HasSubstr;

sockaddr_in at(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Listens on a free port of 127.0.0.1 and answers every request with its name, each on a connection of its own or as
// many as come on one.
class NamedServer {
 public:
  enum class Connections { kClosed, kKept };
  explicit NamedServer(std::string name, Connections connections = Connections::kClosed)
      : name_(std::move(name)), connections_(connections), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto address = at(0);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_.get(), 16), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~NamedServer() {
    ::shutdown(fd_.get(), SHUT_RDWR);
    ::shutdown(client_, SHUT_RDWR);
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  int accepted() const { return accepted_; }

 private:
  void serve() {
    const bool kept = connections_ == Connections::kKept;
    const auto answer = std::string("HTTP/1.1 200 OK\r\n") + (kept ? "" : "Connection: close\r\n") +
                        "Content-Length: " + std::to_string(name_.size()) + "\r\n\r\n" + name_;
    while (true) {
      const base::UniqueFd client(::accept(fd_.get(), nullptr, nullptr));
      if (!client) return;
      client_ = client.get();
      ++accepted_;
      char request[4096];
      while (::recv(client.get(), request, sizeof request, 0) > 0) {
        ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
        if (!kept) break;
      }
    }
  }

  std::string name_;
  const Connections connections_;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> client_ = -1;
  base::UniqueFd fd_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::uint16_t free_port() {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto address = at(0);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  return ntohs(address.sin_port);
}

// Nothing where nobody listens.
base::UniqueFd connect_to(std::uint16_t port) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = at(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

// The whole answer to one request; empty where nobody answers.
std::string ask(std::uint16_t port, const std::string& host, const std::string& path = "/") {
  const auto fd = connect_to(port);
  if (!fd) return "";
  const auto request = "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
  ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(got));
  return answer;
}

class HaproxyTest : public testing::Test {
 protected:
  HaproxySettings settings() const {
    HaproxySettings out;
    out.http = "127.0.0.1:" + std::to_string(http_);
    out.https = "127.0.0.1:" + std::to_string(free_port());
    out.folder = "/tmp/haproxy-test-" + std::to_string(::getpid());
    out.connections_max = 100;
    return out;
  }
  ~HaproxyTest() override { EXPECT_TRUE(Haproxy(settings_, program_).end()); }

  static RoutedService routed(const std::string& host, std::uint16_t port, std::vector<std::string> servers) {
    RoutedService out;
    out.route.set_stack("shop");
    out.route.set_service(host.substr(0, host.find('.')));
    out.route.mutable_route()->set_name("main");
    out.route.mutable_route()->add_hosts(host);
    out.route.mutable_route()->set_port(port);
    for (auto& name : servers) out.servers.push_back({std::move(name), "127.0.0.1"});
    return out;
  }

  base::Result<bool> apply(const std::vector<RoutedService>& services) {
    return haproxy_.apply(make_config(settings_, services));
  }
  // The old worker takes connections for a moment more.
  void await(const std::string& host, const std::string& answer) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (ask(http_, host).find(answer) == std::string::npos)
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << host << " doesn't say " << answer;
  }
  // The line of the newest.
  std::string worker() const {
    std::string text;
    while (text.find("# workers") == std::string::npos)
      text = ask_haproxy(settings_.folder + "/master.sock", "show proc\n", std::chrono::seconds(5)).value_or("");
    return text.substr(text.find("# workers"), 30);
  }

  const std::uint16_t http_ = free_port();
  const std::string program_ = base::find_program("haproxy").value_or("");
  const HaproxySettings settings_ = settings();
  Haproxy haproxy_{settings_, program_};
};

// Changing root and user needs root.
class RootHaproxyTest : public HaproxyTest {
 protected:
  void SetUp() override { ASSERT_EQ(::getuid(), 0u) << "run as root"; }
};

TEST_F(RootHaproxyTest, ServersComeAndGoWithoutAReload) {
  const NamedServer one("one"), two("two");
  ASSERT_TRUE(apply({routed("a.test", one.port(), {"t1"})}));
  EXPECT_THAT(ask(http_, "a.test"), HasSubstr("\r\n\r\none"));
  const auto first = worker();
  auto service = routed("a.test", one.port(), {});
  ASSERT_TRUE(apply({service}));
  EXPECT_THAT(ask(http_, "a.test"), HasSubstr("503 Service Unavailable"));
  EXPECT_THAT(ask(http_, "a.test"), HasSubstr("No task of this service answers now"));
  service.servers = {{"t2", "127.0.0.1"}, {"t3", "127.0.0.1"}};
  ASSERT_TRUE(apply({service}));
  EXPECT_THAT(ask(http_, "a.test"), HasSubstr("\r\n\r\none"));
  EXPECT_EQ(worker(), first);
}

TEST_F(RootHaproxyTest, AServerThatCameWithoutAReloadKeepsItsConnections) {
  const NamedServer one("one", NamedServer::Connections::kKept);
  ASSERT_TRUE(apply({routed("a.test", one.port(), {})}));
  ASSERT_TRUE(apply({routed("a.test", one.port(), {"t1"})}));
  const auto client = connect_to(http_);
  for (int i = 0; i < 3; ++i) {
    const std::string request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    char answer[4096];
    ASSERT_GT(::recv(client.get(), answer, sizeof answer, 0), 0);
  }
  EXPECT_EQ(one.accepted(), 1);
}

TEST_F(RootHaproxyTest, ANewRouteIsAReloadThatLosesNothing) {
  const NamedServer one("one"), two("two");
  ASSERT_TRUE(apply({routed("a.test", one.port(), {})}));
  ASSERT_TRUE(apply({routed("a.test", one.port(), {"t1"})}));
  std::atomic<bool> ending = false;
  std::atomic<int> asked = 0, failed = 0;
  std::thread load([&] {
    for (; !ending; ++asked)
      if (!ask(http_, "a.test").ends_with("one")) ++failed;
  });
  const auto first = worker();
  for (int turn = 0; turn < 5; ++turn) {
    ASSERT_TRUE(apply({routed("a.test", one.port(), {"t1"}), routed("b.test", two.port(), {"t2"})}));
    await("b.test", "\r\n\r\ntwo");
    ASSERT_TRUE(apply({routed("a.test", one.port(), {"t1"})}));
    await("b.test", "404 Not Found");
  }
  ending = true;
  load.join();
  EXPECT_GT(asked, 20);
  EXPECT_EQ(failed, 0);
  EXPECT_NE(worker(), first);
}

TEST_F(RootHaproxyTest, TheNextProcessTakesItOver) {
  const NamedServer one("one");
  ASSERT_TRUE(apply({routed("a.test", one.port(), {"t1"})}));
  Haproxy next(settings_, program_);
  EXPECT_EQ(next.master_pid(), haproxy_.master_pid());
  const auto first = worker();
  ASSERT_TRUE(next.apply(make_config(settings_, {routed("a.test", one.port(), {"t2"})})));
  EXPECT_EQ(worker(), first);
  EXPECT_THAT(ask(http_, "a.test"), HasSubstr("\r\n\r\none"));
}

TEST_F(RootHaproxyTest, TheFilesSayWhatRuns) {
  const NamedServer one("one");
  ASSERT_TRUE(apply({routed("a.test", one.port(), {"t1"})}));
  ASSERT_TRUE(apply({routed("a.test", one.port(), {"t2", "t3"})}));
  const auto text = base::read_file(settings_.folder + "/haproxy.cfg").value();
  EXPECT_THAT(text, HasSubstr("server t3 127.0.0.1"));
  EXPECT_THAT(text, testing::Not(HasSubstr("server t1 ")));
  // A start after a crash needs nothing else.
  const auto pid = haproxy_.master_pid();
  ASSERT_TRUE(pid);
  ASSERT_EQ(::kill(*pid, SIGKILL), 0);
  while (!ask(http_, "a.test").empty()) std::this_thread::yield();
  ASSERT_TRUE(apply({routed("a.test", one.port(), {"t2"})}));
  EXPECT_THAT(ask(http_, "a.test"), HasSubstr("\r\n\r\none"));
}

TEST_F(RootHaproxyTest, AConfigurationThatIsRefusedChangesNothing) {
  const NamedServer one("one");
  ASSERT_TRUE(apply({routed("a.test", one.port(), {"t1"})}));
  auto bad = routed("b.test", one.port(), {"t1"});
  bad.route.mutable_route()->set_tls(v1::HttpRoute::OWN_CERTIFICATE);
  bad.route.mutable_route()->mutable_certificate()->set_pem("no certificate");
  const auto refused = apply({routed("a.test", one.port(), {"t1"}), bad});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("HAProxy refuses its configuration"));
  EXPECT_THAT(ask(http_, "a.test"), HasSubstr("\r\n\r\none"));
  EXPECT_TRUE(apply({routed("a.test", one.port(), {"t1"})}));
}

TEST_F(RootHaproxyTest, APortThatIsTakenIsSaid) {
  const base::UniqueFd taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = at(http_);
  ASSERT_EQ(::bind(taken.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(taken.get(), 1), 0);
  const auto started = apply({routed("a.test", 80, {})});
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("another program listens there"));
  EXPECT_THAT(started.error().message, HasSubstr("--ingress-http"));
}

TEST_F(RootHaproxyTest, NothingIsLeftAtItsEnd) {
  ASSERT_TRUE(apply({routed("a.test", 80, {})}));
  ASSERT_TRUE(haproxy_.end());
  EXPECT_FALSE(haproxy_.master_pid());
  EXPECT_FALSE(std::filesystem::exists(settings_.folder));
  EXPECT_EQ(ask(http_, "a.test"), "");
  EXPECT_TRUE(haproxy_.end());
}

TEST(Haproxy, WhichVersionItIs) {
  EXPECT_THAT(haproxy_version("haproxy").value_or("none"), testing::StartsWith("HAProxy "));
  EXPECT_FALSE(haproxy_version("true"));
  EXPECT_FALSE(check_address("localhost:80", "--ingress-http"));
  EXPECT_FALSE(check_address("127.0.0.1", "--ingress-http"));
}

}  // namespace
}  // namespace orchion::mesh::ingress
