#include "wire/tls/keys.h"

#include <openssl/pem.h>

#include "wire/tls/openssl.h"

namespace orchion::wire::tls {

using base::Code;

base::Result<std::string> make_key() {
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return fail_openssl(Code::kInternal, "making a key");
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail_openssl(Code::kInternal, "writing a key");
  return text_of(bio.get());
}

base::Result<std::string> key_fingerprint(std::string_view pem) {
  ASSIGN_OR_RETURN(const auto key, parse_key(pem));
  return fingerprint_of(key.get());
}

}  // namespace orchion::wire::tls
