#include "mesh/dns/wire.h"

#include <algorithm>
#include <utility>

namespace orchion::mesh::dns::wire {
namespace {

constexpr std::size_t kOptBytes = 11;
constexpr std::size_t kRecordHeadBytes = 10;  // after the name: type, class, TTL, length
constexpr std::uint8_t kLabelBytesMax = 63;
constexpr std::uint8_t kPointerBits = 0xc0;

// After a name that may end with a pointer; 0 where it isn't whole.
std::size_t skip_name(View message, std::size_t at) {
  while (at < message.size()) {
    const std::uint8_t size = message[at];
    if (size == 0) return at + 1;
    if ((size & kPointerBits) == kPointerBits) return at + 2 <= message.size() ? at + 2 : 0;
    if (size > kLabelBytesMax) return 0;
    at += std::size_t{1} + size;
  }
  return 0;
}

// The OPT record that is all of `rest`; RFC 6891, 6.1.2.
std::optional<Edns> read_edns(View rest) {
  constexpr std::uint32_t kDnssecOk = 0x8000;
  if (rest.size() != kOptBytes || rest[0] != 0 || read16(rest, 1) != kTypeOpt || read16(rest, 9) != 0)
    return std::nullopt;
  const std::uint32_t version_and_flags = read32(rest, 5);
  if ((version_and_flags & ~kDnssecOk) != 0) return std::nullopt;
  return Edns{read16(rest, 3), (version_and_flags & kDnssecOk) != 0};
}

}  // namespace

std::uint32_t read32(View message, std::size_t at) {
  return std::uint32_t{read16(message, at)} << 16 | read16(message, at + 2);
}

void write16(std::span<std::uint8_t> message, std::size_t at, std::uint16_t value) {
  message[at] = static_cast<std::uint8_t>(value >> 8);
  message[at + 1] = static_cast<std::uint8_t>(value & 0xff);
}

void write32(std::span<std::uint8_t> message, std::size_t at, std::uint32_t value) {
  write16(message, at, static_cast<std::uint16_t>(value >> 16));
  write16(message, at + 2, static_cast<std::uint16_t>(value & 0xffff));
}

std::size_t question_end(View message) {
  std::size_t at = kHeaderBytes;
  while (at < message.size() && message[at] != 0) {
    if (message[at] > kLabelBytesMax) return 0;
    at += std::size_t{1} + message[at];
  }
  ++at;  // the root label
  if (at - kHeaderBytes > kNameBytesMax) return 0;
  at += 4;  // type, class
  return at <= message.size() ? at : 0;
}

std::optional<PlainQuery> read_plain_query(View message) {
  constexpr std::uint16_t kPlainFlags = kRecursionDesiredFlag | kAuthenticFlag | kCheckingDisabledFlag;
  if (message.size() < kHeaderBytes) return std::nullopt;
  PlainQuery query{.flags = read16(message, 2), .end = question_end(message), .type = 0, .class_ = 0, .edns = {}};
  const bool one_question = read16(message, 4) == 1 && read16(message, 6) == 0 && read16(message, 8) == 0;
  if ((query.flags & ~kPlainFlags) != 0 || !one_question || query.end == 0) return std::nullopt;
  query.type = read16(message, query.end - 4);
  query.class_ = read16(message, query.end - 2);
  const std::uint16_t additional = read16(message, 10);
  if (additional == 1) query.edns = read_edns(message.subspan(query.end));
  const bool whole = additional == 0 ? message.size() == query.end : query.edns.has_value();
  return whole ? std::optional(query) : std::nullopt;
}

std::size_t udp_limit(const std::optional<Edns>& edns) {
  return edns ? std::clamp<std::size_t>(edns->udp_bytes, kUdpBytesMin, kUdpBytesMax) : kUdpBytesMin;
}

std::optional<std::vector<RecordAt>> read_records(View message) {
  if (message.size() < kHeaderBytes || read16(message, 4) != 1) return std::nullopt;
  std::size_t at = question_end(message);
  if (at == 0) return std::nullopt;
  std::vector<RecordAt> records;
  for (const auto& [section, count_at] :
       {std::pair(Section::kAnswer, 6), std::pair(Section::kAuthority, 8), std::pair(Section::kAdditional, 10)}) {
    const std::size_t count = read16(message, static_cast<std::size_t>(count_at));
    for (std::size_t i = 0; i < count; ++i) {
      at = skip_name(message, at);
      if (at == 0 || at + kRecordHeadBytes > message.size()) return std::nullopt;
      const RecordAt record{section, read16(message, at),   read16(message, at + 2),
                            at + 4,  at + kRecordHeadBytes, read16(message, at + 8)};
      at = record.data_at + record.data_bytes;
      if (at > message.size()) return std::nullopt;
      records.push_back(record);
    }
  }
  return records;
}

}  // namespace orchion::mesh::dns::wire
