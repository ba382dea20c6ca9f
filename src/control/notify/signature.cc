#include "control/notify/signature.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/base64.h"
#include "core/channels.h"

namespace orchion::control::notify {

namespace {

std::string hmac_sha256(const std::string& key, const std::string& text) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  digest.resize(size);
  return digest;
}

}  // namespace

std::string webhook_signature(const v1::WebhookTarget& target, std::string_view id, base::WallTime now,
                              std::string_view body) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const auto text = fmt::format("{}.{}.{}", id, seconds, body);
  std::string signature;
  for (const auto& secret : target.secrets()) {
    const auto key = core::parse_webhook_secret(secret);
    if (!key) continue;
    if (!signature.empty()) signature += ' ';
    signature += "v1," + core::encode_base64(hmac_sha256(*key, text));
  }
  return signature;
}

}  // namespace orchion::control::notify
