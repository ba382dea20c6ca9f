#include "wire/tls/tls_stream.h"

#include <algorithm>

#include <openssl/err.h>

#include "wire/tls/openssl.h"

namespace orchion::wire::tls {

namespace {

using SslContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;

constexpr std::size_t kPieceBytesMax = 16u << 10;

// OpenSSL works on memory; what it wants to send and to receive goes through the connection.
class TlsStream final : public RawStream {
 public:
  TlsStream(std::shared_ptr<RawStream> connection, SslContextPtr context, SslPtr ssl)
      : connection_(std::move(connection)), context_(std::move(context)), ssl_(std::move(ssl)) {}

  base::Co<> shake_hands() {
    while (true) {
      ERR_clear_error();
      const int done = SSL_connect(ssl_.get());
      const int error = SSL_get_error(ssl_.get(), done);
      CO_RETURN_IF_ERROR(co_await flush());
      if (done == 1) co_return base::Result<>{};
      if (error != SSL_ERROR_WANT_READ) co_return fail_openssl(base::Code::kDataLoss, "what answers doesn't speak TLS");
      CO_ASSIGN_OR_RETURN(const bool more, co_await fill());
      if (!more) co_return base::fail(base::Code::kUnavailable, "the connection was closed before TLS began");
    }
  }

  base::Co<std::optional<std::string>> read() override {
    std::string piece(kPieceBytesMax, '\0');
    while (true) {
      ERR_clear_error();
      const int count = SSL_read(ssl_.get(), piece.data(), static_cast<int>(piece.size()));
      const int error = SSL_get_error(ssl_.get(), count);
      CO_RETURN_IF_ERROR(co_await flush());
      if (count > 0) {
        piece.resize(static_cast<std::size_t>(count));
        co_return std::optional<std::string>(std::move(piece));
      }
      if (error == SSL_ERROR_ZERO_RETURN) co_return std::optional<std::string>();
      if (error != SSL_ERROR_WANT_READ) co_return fail_openssl(base::Code::kDataLoss, "the TLS connection broke");
      CO_ASSIGN_OR_RETURN(const bool more, co_await fill());
      if (!more) co_return std::optional<std::string>();
    }
  }

  base::Co<> write(std::string bytes) override {
    ERR_clear_error();
    // Memory has room for all of it.
    if (!bytes.empty() && SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0)
      co_return fail_openssl(base::Code::kDataLoss, "the TLS connection broke");
    co_return co_await flush();
  }

  void end() override { connection_->end(); }

 private:
  base::Co<> flush() {
    BIO* const out = SSL_get_wbio(ssl_.get());
    const auto waiting = BIO_ctrl_pending(out);
    if (waiting == 0) co_return base::Result<>{};
    std::string bytes(waiting, '\0');
    bytes.resize(static_cast<std::size_t>(std::max(0, BIO_read(out, bytes.data(), static_cast<int>(waiting)))));
    co_return co_await connection_->write(std::move(bytes));
  }

  // False: the connection has ended.
  base::Co<bool> fill() {
    CO_ASSIGN_OR_RETURN(const auto piece, co_await connection_->read());
    if (!piece) co_return false;
    if (BIO_write(SSL_get_rbio(ssl_.get()), piece->data(), static_cast<int>(piece->size())) <= 0)
      co_return fail_openssl(base::Code::kInternal, "keeping what came over TLS");
    co_return true;
  }

  std::shared_ptr<RawStream> connection_;
  SslContextPtr context_;
  SslPtr ssl_;
};

base::Result<SslPtr> make_ssl(SSL_CTX* context, std::string server_name) {
  SslPtr ssl(context == nullptr ? nullptr : SSL_new(context));
  BioPtr in(BIO_new(BIO_s_mem()));
  BioPtr out(BIO_new(BIO_s_mem()));
  if (!ssl || !in || !out) return fail_openssl(base::Code::kInternal, "preparing TLS");
  SSL_set_bio(ssl.get(), in.release(), out.release());
  // SSL_set_tlsext_host_name() without its cast.
  if (!server_name.empty())
    SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, server_name.data());
  return ssl;
}

}  // namespace

base::Co<std::shared_ptr<RawStream>> open_unverified(std::shared_ptr<RawStream> connection, std::string server_name) {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (context) SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  CO_ASSIGN_OR_RETURN(auto ssl, make_ssl(context.get(), server_name));
  auto stream = std::make_shared<TlsStream>(std::move(connection), std::move(context), std::move(ssl));
  CO_RETURN_IF_ERROR(co_await stream->shake_hands());
  co_return std::shared_ptr<RawStream>(std::move(stream));
}

}  // namespace orchion::wire::tls
