#include "node/networks/names.h"

namespace orchion::node::networks {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

// Of VXLANs.
constexpr std::uint32_t kFirstNumber = 1u << 16;
constexpr std::uint32_t kNumbers = (1u << 24) - kFirstNumber;

// FNV-1a, finished with a mix so that short inputs differ in every character.
// Source: http://www.isthe.com/chongo/tech/comp/fnv/
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  hash ^= hash >> 32;
  hash *= 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 29;
}

std::string hash_text(std::string_view text, std::size_t length) {
  std::uint64_t hash = hash_of(text);
  std::string out;
  for (std::size_t i = 0; i < length; ++i) {
    out += kAlphabet[hash & 31];
    hash >>= 5;
  }
  return out;
}

// nftables takes letters, digits and "_" in a table's name.
std::string identifier(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += plain ? c : '_';
  }
  return out;
}

}  // namespace

Names::Names(std::string_view cluster_short_id)
    : prefix_("or" + hash_text(cluster_short_id, 4)),
      overlay_(prefix_ + "x"),
      tunnel_(prefix_ + "w"),
      veth_prefix_(prefix_ + "v"),
      // Far from the small numbers that people give groups.
      removal_group_(0x6f720000u | static_cast<std::uint32_t>(hash_of(cluster_short_id) & 0xffff)),
      table_("orchion_" + identifier(cluster_short_id)) {}

std::string Names::veth(std::string_view task_uid, std::size_t index) const {
  return veth_prefix_ + hash_text(task_uid, 7) + kAlphabet[index % kAttachmentsMax];
}

std::uint32_t overlay_number(std::string_view cluster_id) {
  return kFirstNumber + static_cast<std::uint32_t>(hash_of(cluster_id) % kNumbers);
}

}  // namespace orchion::node::networks
