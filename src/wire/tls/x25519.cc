#include "wire/tls/x25519.h"

#include "wire/tls/openssl.h"

namespace orchion::wire::tls {

using base::Code;

base::Result<X25519Key> make_x25519_key() {
  const KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
  X25519Key raw{};
  std::size_t size = raw.size();
  if (!key || EVP_PKEY_get_raw_private_key(key.get(), raw.data(), &size) != 1 || size != raw.size())
    return fail_openssl(Code::kInternal, "making an X25519 key");
  return raw;
}

base::Result<X25519Key> x25519_public_key(const X25519Key& private_key) {
  const KeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_key.data(), private_key.size()));
  X25519Key raw{};
  std::size_t size = raw.size();
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1 || size != raw.size())
    return fail_openssl(Code::kInternal, "reading an X25519 key");
  return raw;
}

}  // namespace orchion::wire::tls
