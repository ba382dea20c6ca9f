#include "wire/tls/sealed_box.h"

#include <array>

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "wire/tls/openssl.h"

namespace orchion::wire::tls {

using base::Code;

namespace {

// A box is the nonce, the tag, and as many bytes as were sealed.
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;

using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using Key = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Key key_of(std::string_view secret) {
  Key key;
  SHA256(bytes_of(secret), secret.size(), key.data());
  return key;
}

// Begins with the key, the nonce and the purpose; null: OpenSSL said no.
CipherPtr begin(bool sealing, std::string_view secret, std::string_view purpose, std::string_view nonce) {
  CipherPtr cipher(EVP_CIPHER_CTX_new());
  auto key = key_of(secret);
  int length = 0;
  const bool begun =
      cipher &&
      EVP_CipherInit_ex2(cipher.get(), EVP_aes_256_gcm(), key.data(), bytes_of(nonce), sealing ? 1 : 0, nullptr) == 1 &&
      EVP_CipherUpdate(cipher.get(), nullptr, &length, bytes_of(purpose), static_cast<int>(purpose.size())) == 1;
  OPENSSL_cleanse(key.data(), key.size());
  return begun ? std::move(cipher) : nullptr;
}

}  // namespace

base::Result<std::string> seal(std::string_view secret, std::string_view purpose, std::string_view bytes) {
  std::string nonce(kNonceBytes, '\0');
  if (RAND_bytes(bytes_of(nonce), kNonceBytes) != 1) return fail_openssl(Code::kUnavailable, "making a nonce");
  const auto cipher = begin(true, secret, purpose, nonce);
  std::string sealed(bytes.size(), '\0');
  std::string tag(kTagBytes, '\0');
  int length = 0;
  if (!cipher ||
      EVP_CipherUpdate(cipher.get(), bytes_of(sealed), &length, bytes_of(bytes), static_cast<int>(bytes.size())) != 1 ||
      EVP_CipherFinal_ex(cipher.get(), bytes_of(sealed) + length, &length) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()) != 1)
    return fail_openssl(Code::kInternal, "sealing");
  return nonce + tag + sealed;
}

base::Result<std::string> open_sealed(std::string_view secret, std::string_view purpose, std::string_view box) {
  const auto refused = base::fail(Code::kPermissionDenied, "it was sealed with another secret, or changed since");
  if (box.size() < kNonceBytes + kTagBytes) return refused;
  const auto cipher = begin(false, secret, purpose, box.substr(0, kNonceBytes));
  std::string tag(box.substr(kNonceBytes, kTagBytes));
  const auto sealed = box.substr(kNonceBytes + kTagBytes);
  std::string bytes(sealed.size(), '\0');
  int length = 0;
  if (!cipher ||
      EVP_CipherUpdate(cipher.get(), bytes_of(bytes), &length, bytes_of(sealed), static_cast<int>(sealed.size())) !=
          1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) != 1)
    return fail_openssl(Code::kInternal, "opening what was sealed");
  if (EVP_CipherFinal_ex(cipher.get(), bytes_of(bytes) + length, &length) != 1) return refused;
  return bytes;
}

}  // namespace orchion::wire::tls
