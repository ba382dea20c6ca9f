#include "core/sha256.h"

#include <stdexcept>

#include <openssl/evp.h>

namespace orchion::core {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

// OpenSSL fails here only without memory or without its default provider.
void check(int ok) {
  if (ok != 1) throw std::runtime_error("OpenSSL cannot compute SHA-256");
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  check(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr));
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  check(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()));
}

std::string Sha256::finish() {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  check(EVP_DigestFinal_ex(state_->context, raw, &length));
  std::string result = "sha256:";
  for (unsigned i = 0; i < length; ++i) {
    result += kHexDigits[raw[i] >> 4];
    result += kHexDigits[raw[i] & 15];
  }
  return result;
}

}  // namespace orchion::core
