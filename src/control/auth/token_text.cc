#include "control/auth/token_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

namespace orchion::control::auth {
namespace {

constexpr std::string_view kPrefix = "orc_";
constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kSecretCharacters = (kSecretBytes * 8 + 4) / 5;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string base32(const std::array<unsigned char, kSecretBytes>& bytes) {
  std::string text;
  std::uint32_t pending = 0;
  int bits = 0;
  for (const unsigned char byte : bytes) {
    pending = (pending << 8 | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += kAlphabet[pending >> (bits - 5) & 31];
  }
  if (bits > 0) text += kAlphabet[pending << (5 - bits) & 31];
  return text;
}

}  // namespace

base::Result<std::string> make_token() {
  std::array<unsigned char, kSecretBytes> secret;
  if (RAND_bytes(secret.data(), static_cast<int>(secret.size())) != 1) {
    return base::fail(base::Code::kUnavailable,
                      "the operating system gives no random numbers, so no token can be made");
  }
  std::string token(kPrefix);
  token += base32(secret);
  OPENSSL_cleanse(secret.data(), secret.size());
  return token;
}

bool is_token(std::string_view text) {
  return text.size() == kPrefix.size() + kSecretCharacters && text.starts_with(kPrefix) &&
         std::ranges::all_of(text.substr(kPrefix.size()),
                             [](char c) { return kAlphabet.find(c) != std::string_view::npos; });
}

std::string hash_token(std::string_view token) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(bytes_of(token), token.size(), digest.data());
  return std::string(digest.begin(), digest.end());
}

bool equal_hashes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace orchion::control::auth
