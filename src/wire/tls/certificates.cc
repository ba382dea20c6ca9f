#include "wire/tls/certificates.h"

#include <array>
#include <ctime>

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "wire/tls/openssl.h"

namespace orchion::wire::tls {

using base::Code;

namespace {

constexpr int kKeyBits = 256;
constexpr std::size_t kSerialBytes = 16;

using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using StorePtr = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;

std::time_t seconds_of(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

base::Result<base::WallTime> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return fail_openssl(Code::kInvalidArgument, "reading a certificate's time");
  return base::WallTime(std::chrono::seconds(::timegm(&parts)));
}

bool set_common_name(X509_NAME* name, const std::string& text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, bytes, static_cast<int>(text.size()), -1, 0) ==
         1;
}

std::string common_name_of(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return {};
  const auto* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

bool set_serial(X509* certificate) {
  std::array<unsigned char, kSerialBytes> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes[0] &= 0x7f;  // positive
  const std::unique_ptr<BIGNUM, FreeWith<BN_free>> number(
      BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

// `value` is OpenSSL's own notation: never made of what somebody else said.
bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_name(GENERAL_NAMES* names, int type, const std::string& text) {
  std::unique_ptr<ASN1_IA5STRING, FreeWith<ASN1_IA5STRING_free>> value(ASN1_IA5STRING_new());
  std::unique_ptr<GENERAL_NAME, FreeWith<GENERAL_NAME_free>> name(GENERAL_NAME_new());
  if (!value || !name || ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1) return false;
  GENERAL_NAME_set0_value(name.get(), type, value.release());
  if (sk_GENERAL_NAME_push(names, name.get()) <= 0) return false;
  (void)name.release();
  return true;
}

bool add_names(X509* certificate, const CertificatePlan& plan) {
  if (plan.dns_names.empty() && plan.uris.empty()) return true;
  const NamesPtr names(sk_GENERAL_NAME_new_null());
  if (!names) return false;
  for (const auto& name : plan.dns_names) {
    if (!add_name(names.get(), GEN_DNS, name)) return false;
  }
  for (const auto& uri : plan.uris) {
    if (!add_name(names.get(), GEN_URI, uri)) return false;
  }
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

bool add_role(X509* certificate, X509* issuer, Role role) {
  if (!add_extension(certificate, issuer, NID_subject_key_identifier, "hash")) return false;
  if (role == Role::kAuthority)
    return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, issuer, NID_authority_key_identifier, "keyid") &&
         add_extension(certificate, issuer, NID_ext_key_usage, role == Role::kServer ? "serverAuth" : "clientAuth");
}

// `issuer` null: signed by itself.
base::Result<std::string> sign(const CertificatePlan& plan, EVP_PKEY* subject_key, X509* issuer, EVP_PKEY* issuer_key) {
  const CertificatePtr certificate(X509_new());
  X509* const made = certificate.get();
  const bool done = made != nullptr && X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
                    set_common_name(X509_get_subject_name(made), plan.common_name) &&
                    X509_set_issuer_name(made, X509_get_subject_name(issuer == nullptr ? made : issuer)) == 1 &&
                    ASN1_TIME_set(X509_getm_notBefore(made), seconds_of(plan.not_before)) != nullptr &&
                    ASN1_TIME_set(X509_getm_notAfter(made), seconds_of(plan.not_after)) != nullptr &&
                    X509_set_pubkey(made, subject_key) == 1 &&
                    add_role(made, issuer == nullptr ? made : issuer, plan.role) && add_names(made, plan) &&
                    X509_sign(made, issuer_key, EVP_sha256()) > 0;
  if (!done) return fail_openssl(Code::kInternal, "making a certificate");
  return to_pem(made);
}

void read_names(X509* certificate, Certificate& out) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const auto* value =
        static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type));
    if (type != GEN_DNS && type != GEN_URI) continue;
    std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                     static_cast<std::size_t>(ASN1_STRING_length(value)));
    (type == GEN_DNS ? out.dns_names : out.uris).push_back(std::move(text));
  }
}

}  // namespace

base::Result<std::string> make_request(std::string_view key_pem, const std::string& common_name) {
  ASSIGN_OR_RETURN(const auto key, parse_key(key_pem));
  const RequestPtr request(X509_REQ_new());
  const bool done = request && set_common_name(X509_REQ_get_subject_name(request.get()), common_name) &&
                    X509_REQ_set_pubkey(request.get(), key.get()) == 1 &&
                    X509_REQ_sign(request.get(), key.get(), EVP_sha256()) > 0;
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!done || PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1)
    return fail_openssl(Code::kInternal, "making a certificate signing request");
  return text_of(bio.get());
}

base::Result<Request> read_request(std::string_view pem) {
  ASSIGN_OR_RETURN(const auto request, parse_request(pem));
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || EVP_PKEY_get_bits(key) != kKeyBits)
    return base::fail(Code::kInvalidArgument, "the certificate signing request has a key that isn't EC P-256");
  if (X509_REQ_verify(request.get(), key) != 1)
    return fail_openssl(Code::kInvalidArgument, "the certificate signing request isn't signed with its own key");
  Request out{common_name_of(X509_REQ_get_subject_name(request.get())), {}};
  ASSIGN_OR_RETURN(out.key_fingerprint, fingerprint_of(key));
  return out;
}

base::Result<std::string> make_authority(std::string_view key_pem, const CertificatePlan& plan) {
  ASSIGN_OR_RETURN(const auto key, parse_key(key_pem));
  return sign(plan, key.get(), nullptr, key.get());
}

base::Result<std::string> issue(const Issuer& issuer, std::string_view request_pem, const CertificatePlan& plan) {
  RETURN_IF_ERROR(read_request(request_pem));
  ASSIGN_OR_RETURN(const auto request, parse_request(request_pem));
  ASSIGN_OR_RETURN(const auto certificate, parse_certificate(issuer.certificate));
  ASSIGN_OR_RETURN(const auto key, parse_key(issuer.key));
  return sign(plan, X509_REQ_get0_pubkey(request.get()), certificate.get(), key.get());
}

base::Result<Certificate> read_certificate(std::string_view pem) {
  ASSIGN_OR_RETURN(const auto certificate, parse_certificate(pem));
  Certificate out;
  out.common_name = common_name_of(X509_get_subject_name(certificate.get()));
  read_names(certificate.get(), out);
  ASSIGN_OR_RETURN(out.not_before, time_of(X509_get0_notBefore(certificate.get())));
  ASSIGN_OR_RETURN(out.not_after, time_of(X509_get0_notAfter(certificate.get())));
  ASSIGN_OR_RETURN(out.fingerprint, fingerprint_of(certificate.get()));
  EVP_PKEY* const key = X509_get0_pubkey(certificate.get());
  if (key == nullptr) return fail_openssl(Code::kInvalidArgument, "reading a certificate's key");
  ASSIGN_OR_RETURN(out.key_fingerprint, fingerprint_of(key));
  return out;
}

base::Result<> verify(std::string_view certificate_pem, std::string_view authority_pem, Role role, base::WallTime now) {
  ASSIGN_OR_RETURN(const auto certificate, parse_certificate(certificate_pem));
  ASSIGN_OR_RETURN(const auto authority, parse_certificate(authority_pem));
  const StorePtr store(X509_STORE_new());
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (!store || !context || X509_STORE_add_cert(store.get(), authority.get()) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), nullptr) != 1)
    return fail_openssl(Code::kInternal, "preparing to verify a certificate");
  X509_STORE_CTX_set_time(context.get(), 0, seconds_of(now));
  if (role != Role::kAuthority)
    X509_STORE_CTX_set_purpose(context.get(),
                               role == Role::kServer ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
  if (X509_verify_cert(context.get()) == 1) return {};
  const int error = X509_STORE_CTX_get_error(context.get());
  const bool about_time = error == X509_V_ERR_CERT_NOT_YET_VALID || error == X509_V_ERR_CERT_HAS_EXPIRED;
  return base::fail(about_time ? Code::kFailedPrecondition : Code::kUnauthenticated,
                    fmt::format("the certificate is not valid: {}", X509_verify_cert_error_string(error)));
}

}  // namespace orchion::wire::tls
