#pragma once

// DNS messages as bytes (RFC 1035, 4.1), for what is done so often, or to so little of a message, that it isn't worth
// ldns's objects. Pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace orchion::mesh::dns {

using Bytes = std::vector<std::uint8_t>;

namespace wire {

using View = std::span<const std::uint8_t>;

inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::size_t kNameBytesMax = 255;
inline constexpr std::size_t kUdpBytesMin = 512;

// What fits one unfragmented packet on any path; https://www.dnsflagday.net/2020/
inline constexpr std::size_t kUdpBytesMax = 1232;

// The header's second word.
inline constexpr std::uint16_t kReplyFlag = 0x8000;
inline constexpr std::uint16_t kAuthoritativeFlag = 0x0400;
inline constexpr std::uint16_t kTruncatedFlag = 0x0200;
inline constexpr std::uint16_t kRecursionDesiredFlag = 0x0100;
inline constexpr std::uint16_t kRecursionAvailableFlag = 0x0080;
inline constexpr std::uint16_t kAuthenticFlag = 0x0020;
inline constexpr std::uint16_t kCheckingDisabledFlag = 0x0010;
inline constexpr std::uint16_t kCodeMask = 0x000f;

inline constexpr std::uint16_t kTypeA = 1;
inline constexpr std::uint16_t kTypeCname = 5;
inline constexpr std::uint16_t kTypeSoa = 6;
inline constexpr std::uint16_t kTypeAaaa = 28;
inline constexpr std::uint16_t kTypeOpt = 41;
inline constexpr std::uint16_t kTypeAny = 255;
inline constexpr std::uint16_t kClassIn = 1;

inline constexpr std::uint16_t kCodeNoError = 0;
inline constexpr std::uint16_t kCodeNoSuchName = 3;

inline std::uint8_t fold(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c | 0x20) : c;
}
inline std::uint16_t read16(View message, std::size_t at) {
  return static_cast<std::uint16_t>(message[at] << 8 | message[at + 1]);
}
std::uint32_t read32(View message, std::size_t at);
void write16(std::span<std::uint8_t> message, std::size_t at, std::uint16_t value);
void write32(std::span<std::uint8_t> message, std::size_t at, std::uint32_t value);

// Where the first question ends; 0 where the message has none that is plain.
std::size_t question_end(View message);

struct Edns {
  std::uint16_t udp_bytes = 0;
  bool dnssec_ok = false;
};

// A query with one question and at most an OPT record without options, and nothing else: what all stub resolvers send.
struct PlainQuery {
  std::uint16_t flags = 0;  // of the header; none but RD, AD and CD
  std::size_t end = 0;      // of the question
  std::uint16_t type = 0;
  std::uint16_t class_ = 0;
  std::optional<Edns> edns;
};
std::optional<PlainQuery> read_plain_query(View message);

// What an asker by UDP can take.
std::size_t udp_limit(const std::optional<Edns>& edns);

enum class Section { kAnswer, kAuthority, kAdditional };

// A record as it lies in its message.
struct RecordAt {
  Section section = Section::kAnswer;
  std::uint16_t type = 0;
  std::uint16_t class_ = 0;
  std::size_t ttl_at = 0;
  std::size_t data_at = 0;
  std::size_t data_bytes = 0;
};

// All records of a message with one question. nullopt: it isn't whole, or isn't one.
std::optional<std::vector<RecordAt>> read_records(View message);

}  // namespace wire
}  // namespace orchion::mesh::dns
