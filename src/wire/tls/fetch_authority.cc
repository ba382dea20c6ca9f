#include "wire/tls/fetch_authority.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "wire/tls/certificates.h"
#include "wire/tls/openssl.h"

namespace orchion::wire::tls {

using base::Code;

namespace {

using Deadline = std::chrono::steady_clock::time_point;
using AddressesPtr = std::unique_ptr<addrinfo, FreeWith<freeaddrinfo>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;

std::string where(const AuthorityFetch& fetch) {
  return fmt::format(fmt::runtime(fetch.host.find(':') == std::string::npos ? "{}:{}" : "[{}]:{}"), fetch.host,
                     fetch.port);
}

std::unexpected<base::Error> no_answer(const AuthorityFetch& fetch) {
  return base::fail(
      Code::kDeadlineExceeded,
      fmt::format("{} does not answer within {} s: see whether the machines reach each other (`ping {}`), and open TCP "
                  "port {} in the firewall of the server's machine",
                  where(fetch), std::chrono::duration_cast<std::chrono::seconds>(fetch.limit).count(), fetch.host,
                  fetch.port));
}

std::unexpected<base::Error> no_connection(const AuthorityFetch& fetch, int error) {
  if (error == ETIMEDOUT) return no_answer(fetch);
  if (error == ECONNREFUSED)
    return base::fail(Code::kUnavailable,
                      fmt::format("nobody listens on {}: on the server's machine, see whether the server runs with "
                                  "--advertise (`orchion node invite` prints the address), and start it",
                                  where(fetch)));
  return base::fail(Code::kUnavailable, fmt::format("cannot connect to {}: {}; see whether the machines reach each "
                                                    "other (`ping {}`)",
                                                    where(fetch), std::strerror(error), fetch.host));
}

// False when the time is over.
bool wait_for(int fd, short events, Deadline deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd poller{fd, events, 0};
    const int ready = ::poll(&poller, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// 0, or the errno of the failure.
int try_connect(const addrinfo& address, Deadline deadline, base::UniqueFd& out) {
  base::UniqueFd fd(
      ::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
  if (!fd) return errno;
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return errno;
    if (!wait_for(fd.get(), POLLOUT, deadline)) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    if (error != 0) return error;
  }
  out = std::move(fd);
  return 0;
}

base::Result<base::UniqueFd> connect(const AuthorityFetch& fetch, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(fetch.host.c_str(), std::to_string(fetch.port).c_str(), &hints, &found);
      error != 0)
    return base::fail(Code::kUnavailable, fmt::format("this machine cannot find {} ({}): give the server's address "
                                                      "instead of its name",
                                                      fetch.host, ::gai_strerror(error)));
  const AddressesPtr addresses(found);
  int error = ECONNREFUSED;
  for (const addrinfo* each = addresses.get(); each != nullptr; each = each->ai_next) {
    base::UniqueFd fd;
    error = try_connect(*each, deadline, fd);
    if (error == 0) return fd;
  }
  return no_connection(fetch, error);
}

base::Result<> shake_hands(SSL* ssl, int fd, const AuthorityFetch& fetch, Deadline deadline) {
  while (true) {
    const int done = SSL_connect(ssl);
    if (done == 1) return {};
    const int error = SSL_get_error(ssl, done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
      return fail_openssl(
          Code::kUnavailable,
          fmt::format("{} is no server for nodes (use the port that `orchion node invite` prints)", where(fetch)));
    if (!wait_for(fd, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) return no_answer(fetch);
  }
}

// The clocks of two machines are compared by a certificate that the server made when it started.
base::Result<> check_leaf(const AuthorityFetch& fetch, X509* leaf, const std::string& authority, base::WallTime now) {
  ASSIGN_OR_RETURN(const auto pem, to_pem(leaf));
  auto verified = verify(pem, authority, Role::kServer, now);
  if (verified || verified.error().code != Code::kFailedPrecondition) return verified;
  ASSIGN_OR_RETURN(const auto certificate, read_certificate(pem));
  const auto seconds = [](base::WallTime time) {
    return fmt::gmtime(
        std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(time)));
  };
  return base::fail(
      Code::kFailedPrecondition,
      fmt::format("this machine's clock says {:%Y-%m-%d %H:%M} UTC, but the certificate of {} is valid from "
                  "{:%Y-%m-%d %H:%M} to {:%Y-%m-%d %H:%M}: set this machine's clock (`timedatectl set-ntp true`), or "
                  "the server's where that one is wrong",
                  seconds(now), where(fetch), seconds(certificate.not_before), seconds(certificate.not_after)));
}

}  // namespace

base::Result<std::string> fetch_authority(const AuthorityFetch& fetch, base::WallTime now) {
  const auto deadline = std::chrono::steady_clock::now() + fetch.limit;
  ASSIGN_OR_RETURN(const auto fd, connect(fetch, deadline));
  const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context) return fail_openssl(Code::kInternal, "preparing TLS");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  // gRPC's servers talk to nobody who doesn't say that they speak HTTP/2.
  constexpr unsigned char kProtocols[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), kProtocols, sizeof(kProtocols));
  const SslPtr ssl(SSL_new(context.get()));
  if (!ssl || SSL_set_fd(ssl.get(), fd.get()) != 1) return fail_openssl(Code::kInternal, "preparing TLS");
  RETURN_IF_ERROR(shake_hands(ssl.get(), fd.get(), fetch, deadline));
  STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl.get());
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    ASSIGN_OR_RETURN(const auto fingerprint, fingerprint_of(sk_X509_value(chain, i)));
    if (fingerprint != fetch.fingerprint) continue;
    ASSIGN_OR_RETURN(auto authority, to_pem(sk_X509_value(chain, i)));
    RETURN_IF_ERROR(check_leaf(fetch, sk_X509_value(chain, 0), authority, now));
    return authority;
  }
  return base::fail(Code::kUnauthenticated,
                    fmt::format("{} is not the server that made this invitation (its authority has another "
                                "fingerprint): copy the whole line again, or make a new one with `orchion node invite` "
                                "on the server's machine; if it persists, somebody may stand between the two",
                                where(fetch)));
}

}  // namespace orchion::wire::tls
