#pragma once

// For tests: a TLS server on loopback that answers every connection with the same bytes.

#include <sys/socket.h>

#include <atomic>
#include <string>
#include <thread>

#include <netinet/in.h>

#include "base/clock.h"
#include "base/file.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"
#include "wire/tls/openssl.h"

namespace orchion::wire::tls {

class TlsLabServer {
 public:
  // Nobody vouches for its certificate, which was valid an hour ago.
  explicit TlsLabServer(std::string answer) : answer_(std::move(answer)) {
    const auto now = base::SystemClock().wall();
    CertificatePlan plan;
    plan.role = Role::kAuthority;
    plan.common_name = "nobody";
    plan.not_before = now - std::chrono::hours(2);
    plan.not_after = now - std::chrono::hours(1);
    const auto key = make_key().value();
    const auto certificate = make_authority(key, plan).value();
    context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate(context_.get(), parse_certificate(certificate)->get());
    SSL_CTX_use_PrivateKey(context_.get(), parse_key(key)->get());
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_.get(), 16);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~TlsLabServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  std::string asked_for() const { return asked_for_; }  // the name, of the newest; after its answer

 private:
  void serve() {
    while (true) {
      const base::UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      const std::unique_ptr<SSL, FreeWith<SSL_free>> ssl(SSL_new(context_.get()));
      SSL_set_fd(ssl.get(), peer.get());
      char request[4096];
      if (SSL_accept(ssl.get()) != 1 || SSL_read(ssl.get(), request, sizeof request) <= 0) continue;
      const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
      asked_for_ = name == nullptr ? "" : name;
      SSL_write(ssl.get(), answer_.data(), static_cast<int>(answer_.size()));
      SSL_shutdown(ssl.get());
    }
  }

  const std::string answer_;
  std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context_;
  base::UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::string asked_for_;
  std::thread thread_;
};

}  // namespace orchion::wire::tls
