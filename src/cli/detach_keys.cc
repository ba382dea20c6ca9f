#include "cli/detach_keys.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/core.h>

namespace orchion::cli {

namespace {

constexpr std::string_view kCtrl = "ctrl-";
constexpr std::string_view kSigns = "@[\\]^_";

std::optional<char> parse_key(std::string_view word) {
  if (word.size() == 1) return word[0];
  if (!word.starts_with(kCtrl) || word.size() != kCtrl.size() + 1) return std::nullopt;
  const char letter = static_cast<char>(std::toupper(static_cast<unsigned char>(word.back())));
  const bool known = (letter >= 'A' && letter <= 'Z') || kSigns.find(letter) != kSigns.npos;
  return known ? std::optional<char>(static_cast<char>(letter & 0x1f)) : std::nullopt;
}

}  // namespace

base::Result<DetachKeys> DetachKeys::parse(std::string_view text) {
  DetachKeys keys;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(','));
    const auto key = parse_key(word);
    if (!key)
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("`{}` is no key: write ctrl-p,ctrl-q, say, or letters", word));
    keys.keys_ += *key;
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return keys;
}

std::string DetachKeys::take(std::string_view bytes, bool& left) {
  std::string passed;
  for (const char byte : bytes) {
    if (keys_.empty()) {
      passed += byte;
      continue;
    }
    if (byte == keys_[typed_]) {
      if (++typed_ < keys_.size()) continue;
      left = true;
      return passed;
    }
    passed += keys_.substr(0, typed_);
    typed_ = byte == keys_[0] ? 1 : 0;
    if (typed_ == 0) passed += byte;
  }
  return passed;
}

}  // namespace orchion::cli
