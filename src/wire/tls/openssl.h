#pragma once

// OpenSSL's objects with owners. Private to this folder.

#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "base/free_with.h"

namespace orchion::wire::tls {

using base::FreeWith;

using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, FreeWith<X509_REQ_free>>;
using CertificatePtr = std::unique_ptr<X509, FreeWith<X509_free>>;
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free>>;

// What OpenSSL said last, after `action`; its queue is empty afterwards.
std::unexpected<base::Error> fail_openssl(base::Code code, std::string_view action);

// kInvalidArgument: the text holds no such thing. Of several certificates the first.
base::Result<KeyPtr> parse_key(std::string_view pem);
base::Result<RequestPtr> parse_request(std::string_view pem);
base::Result<CertificatePtr> parse_certificate(std::string_view pem);

// What was written to a memory BIO.
std::string text_of(BIO* bio);
base::Result<std::string> to_pem(X509* certificate);

// SHA-256 in lower-case hexadecimal: of the whole certificate, of a public key as certificates hold it.
base::Result<std::string> fingerprint_of(const X509* certificate);
base::Result<std::string> fingerprint_of(EVP_PKEY* key);

}  // namespace orchion::wire::tls
