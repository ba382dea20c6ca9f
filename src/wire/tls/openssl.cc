#include "wire/tls/openssl.h"

#include <array>
#include <span>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace orchion::wire::tls {

using base::Code;

namespace {

// What peers send is small; OpenSSL needn't look at more.
constexpr std::size_t kPemBytesMax = 64 << 10;

base::Result<BioPtr> open_pem(std::string_view pem, std::string_view what) {
  if (pem.size() > kPemBytesMax)
    return base::fail(Code::kInvalidArgument, fmt::format("the {} is larger than {} bytes", what, kPemBytesMax));
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

std::string hex(std::span<const unsigned char> bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace

std::unexpected<base::Error> fail_openssl(Code code, std::string_view action) {
  const auto number = ERR_peek_last_error();
  const char* reason = number == 0 ? nullptr : ERR_reason_error_string(number);
  ERR_clear_error();
  return base::fail(code, fmt::format("{}: {}", action, reason == nullptr ? "OpenSSL failed" : reason));
}

base::Result<KeyPtr> parse_key(std::string_view pem) {
  ASSIGN_OR_RETURN(const auto bio, open_pem(pem, "key"));
  // One that a password protects is none that can be used: nobody is there to be asked.
  constexpr auto kNoPassword = [](char*, int, int, void*) { return -1; };
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, kNoPassword, nullptr));
  if (!key) return fail_openssl(Code::kInvalidArgument, "this is no private key in PEM");
  return key;
}

base::Result<RequestPtr> parse_request(std::string_view pem) {
  ASSIGN_OR_RETURN(const auto bio, open_pem(pem, "certificate signing request"));
  RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) return fail_openssl(Code::kInvalidArgument, "this is no certificate signing request in PEM");
  return request;
}

base::Result<CertificatePtr> parse_certificate(std::string_view pem) {
  ASSIGN_OR_RETURN(const auto bio, open_pem(pem, "certificate"));
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return fail_openssl(Code::kInvalidArgument, "this is no certificate in PEM");
  return certificate;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

base::Result<std::string> to_pem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), certificate) != 1) return fail_openssl(Code::kInternal, "writing a certificate");
  return text_of(bio.get());
}

base::Result<std::string> fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1)
    return fail_openssl(Code::kInternal, "hashing a certificate");
  return hex(std::span(digest).first(size));
}

base::Result<std::string> fingerprint_of(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (i2d_PUBKEY_bio(bio.get(), key) != 1) return fail_openssl(Code::kInternal, "writing a public key");
  const auto bytes = text_of(bio.get());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    return fail_openssl(Code::kInternal, "hashing a public key");
  return hex(std::span(digest).first(size));
}

}  // namespace orchion::wire::tls
