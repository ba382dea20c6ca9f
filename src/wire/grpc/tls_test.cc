// Real connections over TLS: who is let in, as whom, and how a stranger gets the authority.

#include <sys/socket.h>

#include <gtest/gtest.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "wire/grpc/grpc_client.h"
#include "wire/grpc/grpc_server.h"
#include "wire/testing.h"
#include "wire/tls/certificates.h"
#include "wire/tls/fetch_authority.h"
#include "wire/tls/keys.h"

namespace orchion::wire::grpc {
namespace {

using base::Code;
using testing::LoopThread;
using tls::Role;
using namespace std::chrono_literals;

constexpr char kServerName[] = "control.cluster.example.internal";

base::WallTime now() {
  return base::SystemClock().wall();
}

class Authority {
 public:
  Authority() {
    issuer_.key = tls::make_key().value();
    tls::CertificatePlan plan;
    plan.role = Role::kAuthority;
    plan.common_name = "cluster.example.internal";
    plan.not_before = now() - 1h;
    plan.not_after = now() + 1h;
    issuer_.certificate = tls::make_authority(issuer_.key, plan).value();
  }

  std::string issue(const std::string& key, Role role, base::WallTime from = now() - 1h,
                    base::WallTime to = now() + 1h) const {
    tls::CertificatePlan plan;
    plan.role = role;
    plan.common_name = role == Role::kServer ? "control" : "n1";
    if (role == Role::kServer) plan.dns_names = {kServerName};
    plan.not_before = from;
    plan.not_after = to;
    return tls::issue(issuer_, tls::make_request(key, "x").value(), plan).value();
  }

  const std::string& certificate() const { return issuer_.certificate; }
  std::string fingerprint() const { return tls::read_certificate(issuer_.certificate)->fingerprint; }

 private:
  tls::Issuer issuer_;
};

// Says the name in the certificate of who asks.
base::Co<> say_who(Call call, std::shared_ptr<ByteStream> stream) {
  if (call.peer_certificate.empty()) co_return co_await stream->send("nobody");
  CO_ASSIGN_OR_RETURN(const auto certificate, tls::read_certificate(call.peer_certificate));
  co_return co_await stream->send(certificate.common_name);
}

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override { serve(now() - 1h); }
  ~TlsTest() override {
    if (server_) server_->shutdown(0ms);
  }

  void serve(base::WallTime valid_from) {
    if (server_) server_->shutdown(0ms);
    GrpcServerOptions options;
    const auto key = tls::make_key().value();
    options.tls = ServerTls{authority_.issue(key, Role::kServer, valid_from) + authority_.certificate(), key,
                            authority_.certificate()};
    server_ = std::make_unique<GrpcServer>(loop_.executor(), say_who, std::move(options));
    port_ = server_->listen("127.0.0.1:0").value();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  static base::Co<std::optional<std::string>> ask(GrpcClient* client) {
    const auto stream = client->call("/t/Who", {}, 10s);
    stream->finish();
    co_return co_await stream->receive();
  }
  base::Result<std::optional<std::string>> who(const std::optional<ClientTls>& tls) {
    GrpcClient client(loop_.executor(), address(), tls);
    return loop_.run(ask(&client));
  }

  ClientTls as_stranger() const { return {authority_.certificate(), kServerName, {}, {}}; }
  ClientTls as_client(const std::string& certificate) const {
    return {authority_.certificate(), kServerName, certificate, key_};
  }

  tls::AuthorityFetch fetch() const { return {"127.0.0.1", port_, authority_.fingerprint(), 10s}; }

  LoopThread loop_;
  Authority authority_;
  std::string key_ = tls::make_key().value();
  std::unique_ptr<GrpcServer> server_;
  std::uint16_t port_ = 0;
};

TEST_F(TlsTest, AClientIsWhoItsCertificateSays) {
  EXPECT_EQ(who(as_client(authority_.issue(key_, Role::kClient))).value(), "n1");
  EXPECT_EQ(who(as_stranger()).value(), "nobody");
}

TEST_F(TlsTest, ACertificateThatNobodyVouchesForIsRefused) {
  for (const auto& certificate : {Authority().issue(key_, Role::kClient), authority_.issue(key_, Role::kServer),
                                  authority_.issue(key_, Role::kClient, now() - 2h, now() - 1h)}) {
    const auto answer = who(as_client(certificate));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kUnavailable) << answer.error().message;
  }
}

TEST_F(TlsTest, AServerThatIsAnotherIsRefused) {
  EXPECT_FALSE(who(std::nullopt)) << "without TLS";
  auto tls = as_stranger();
  tls.server_name = "control.other.example.internal";
  EXPECT_FALSE(who(tls));
  EXPECT_FALSE(who(ClientTls{Authority().certificate(), kServerName, {}, {}}));
}

TEST_F(TlsTest, TheAuthorityIsKnownByItsFingerprint) {
  EXPECT_EQ(tls::fetch_authority(fetch(), now()).value(), authority_.certificate());
  auto another = fetch();
  another.fingerprint = Authority().fingerprint();
  const auto refused = tls::fetch_authority(another, now());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnauthenticated);
  EXPECT_NE(refused.error().message.find(address()), std::string::npos);
}

TEST_F(TlsTest, AWrongClockIsNamed) {
  const auto behind = tls::fetch_authority(fetch(), now() - 3h);
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().code, Code::kFailedPrecondition);
  EXPECT_NE(behind.error().message.find("clock"), std::string::npos);
  EXPECT_NE(behind.error().message.find(address()), std::string::npos);
  EXPECT_EQ(tls::fetch_authority(fetch(), now() + 3h).error().code, Code::kFailedPrecondition);
}

TEST_F(TlsTest, APortThatNobodyHasIsNamed) {
  server_->shutdown(0ms);
  const auto closed = tls::fetch_authority(fetch(), now());
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Code::kUnavailable);
  EXPECT_NE(closed.error().message.find("nobody listens on " + address()), std::string::npos);
}

// A socket that takes connections, and what it is told to say.
class OtherServer {
 public:
  OtherServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    void* const raw = &address;
    EXPECT_EQ(::bind(socket_.get(), static_cast<sockaddr*>(raw), size), 0);
    EXPECT_EQ(::listen(socket_.get(), 4), 0);
    EXPECT_EQ(::getsockname(socket_.get(), static_cast<sockaddr*>(raw), &size), 0);
    port = ntohs(address.sin_port);
  }
  void answer(std::string_view text) {
    const base::UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_EQ(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  std::uint16_t port = 0;

 private:
  base::UniqueFd socket_;
};

TEST_F(TlsTest, WhoSaysNothingIsNotWaitedForForLong) {
  const OtherServer silent;
  const auto answer = tls::fetch_authority({"127.0.0.1", silent.port, authority_.fingerprint(), 200ms}, now());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
  EXPECT_NE(answer.error().message.find(std::to_string(silent.port)), std::string::npos);
}

TEST_F(TlsTest, WhoSpeaksNoTlsIsNamed) {
  OtherServer plain;
  std::thread speaker([&] { plain.answer("HTTP/1.1 400 Bad Request\r\n\r\n"); });
  const auto answer = tls::fetch_authority({"127.0.0.1", plain.port, authority_.fingerprint(), 10s}, now());
  speaker.join();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_NE(answer.error().message.find(std::to_string(plain.port)), std::string::npos);
}

}  // namespace
}  // namespace orchion::wire::grpc
