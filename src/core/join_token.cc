#include "core/join_token.h"

namespace orchion::core {

namespace {

constexpr std::string_view kPrefix = "orj_";
constexpr std::size_t kFingerprintDigits = 64;

bool consists_of(std::string_view text, std::string_view alphabet) {
  return !text.empty() && text.find_first_not_of(alphabet) == std::string_view::npos;
}

}  // namespace

std::string to_text(const JoinToken& token) {
  return std::string(kPrefix) + token.secret + "_" + token.authority_fingerprint;
}

base::Result<JoinToken> parse_join_token(std::string_view text) {
  const auto separator = text.rfind('_');
  if (text.starts_with(kPrefix) && separator != std::string_view::npos && separator >= kPrefix.size()) {
    const auto secret = text.substr(kPrefix.size(), separator - kPrefix.size());
    const auto fingerprint = text.substr(separator + 1);
    if (consists_of(secret, "abcdefghijklmnopqrstuvwxyz234567") && consists_of(fingerprint, "0123456789abcdef") &&
        fingerprint.size() == kFingerprintDigits)
      return JoinToken{std::string(secret), std::string(fingerprint)};
  }
  return base::fail(base::Code::kInvalidArgument,
                    "this is not the whole token of an invitation: copy the line that `orchion node invite` printed "
                    "on the server's machine");
}

}  // namespace orchion::core
