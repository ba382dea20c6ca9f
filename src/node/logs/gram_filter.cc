#include "node/logs/gram_filter.h"

#include <bit>
#include <cstring>

namespace orchion::node::logs {

namespace {

constexpr unsigned kBitsLog2Max = 18;
constexpr unsigned kBitsLog2Min = 9;
constexpr std::size_t kWordsMax = (std::size_t{1} << kBitsLog2Max) / 64;

// The upper bits of a product with an odd constant (2^32 over the golden ratio). Fewer of them address a smaller set:
// two neighbours of the larger are one bit of the next smaller. Source: Knuth, TAOCP 3, section 6.4
std::uint32_t hash(std::uint32_t gram) {
  return gram * 0x9e3779b1u;
}

unsigned char lower(unsigned char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<unsigned char>(byte | 0x20) : byte;
}

std::size_t count_bits(const std::vector<std::uint64_t>& words) {
  std::size_t count = 0;
  for (const auto word : words) count += static_cast<std::size_t>(std::popcount(word));
  return count;
}

// Each pair of bits becomes one.
std::vector<std::uint64_t> halve(const std::vector<std::uint64_t>& words) {
  std::vector<std::uint64_t> half(words.size() / 2);
  for (std::size_t bit = 0; bit < words.size() * 64; ++bit)
    if (words[bit / 64] >> (bit % 64) & 1) half[bit / 128] |= std::uint64_t{1} << (bit / 2 % 64);
  return half;
}

}  // namespace

GramCollector::GramCollector() : seen_(kWordsMax) {}

void GramCollector::add(OutputStream stream, std::string_view payload) {
  auto window = windows_[stream == OutputStream::kError ? 1 : 0];
  for (const char c : payload) {
    if (c == '\n') {
      window.count = 0;
      continue;
    }
    window.bytes = window.bytes << 8 | lower(static_cast<unsigned char>(c));
    if (++window.count < kGramBytes) continue;
    const auto bit = hash(window.bytes) >> (32 - kBitsLog2Max);
    seen_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  windows_[stream == OutputStream::kError ? 1 : 0] = window;
}

std::string GramCollector::take() {
  auto words = std::move(seen_);
  *this = GramCollector();
  const auto bits = words.size() * 64;
  if (count_bits(words) > bits / 2 + bits / 4) return {};
  while (words.size() * 64 > std::size_t{1} << kBitsLog2Min) {
    auto half = halve(words);
    if (count_bits(half) > half.size() * 64 / 3) break;
    words = std::move(half);
  }
  std::string result(words.size() * sizeof(std::uint64_t), '\0');
  std::memcpy(result.data(), words.data(), result.size());
  return result;
}

bool may_contain(std::string_view grams, std::string_view text) {
  if (grams.size() < 8 || !std::has_single_bit(grams.size())) return true;
  const auto bits_log2 = static_cast<unsigned>(std::countr_zero(grams.size())) + 3;
  for (std::size_t i = 0; i + kGramBytes <= text.size(); ++i) {
    std::uint32_t gram = 0;
    bool is_ascii = true;
    for (const char c : text.substr(i, kGramBytes)) {
      const auto byte = static_cast<unsigned char>(c);
      is_ascii = is_ascii && byte < 0x80 && byte != '\n';
      gram = gram << 8 | lower(byte);
    }
    const auto bit = hash(gram) >> (32 - bits_log2);
    if (is_ascii && !(static_cast<unsigned char>(grams[bit / 8]) >> (bit % 8) & 1)) return false;
  }
  return true;
}

}  // namespace orchion::node::logs
